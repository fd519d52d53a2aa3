import type { Maybe } from '../values.js'

/** An operator that takes its arguments by position, already evaluated. */
export interface Positional {
  /** The fewest and the most arguments. */
  arity: readonly [number, number]
  run: (args: Maybe[]) => Maybe
}

/** An operator that takes its arguments by name, already evaluated. */
export interface Named {
  required: readonly string[]
  optional: readonly string[]
  run: (args: Readonly<Record<string, Maybe>>) => Maybe
}
