import { isDeepStrictEqual } from 'node:util'
import type { IndexDescriptionInfo } from 'mongodb'
import type { IndexDefinition } from './collection.js'

/** How an index is in the database, compared with what is declared. */
export interface ComparedIndex {
  name: string
  /** `undeclared`: it is there, and nothing declares it. */
  state: 'same' | 'missing' | 'differs' | 'undeclared'
  /** What of it differs. */
  difference?: string
  /** The index to drop before the declared one can be made: of the same name, or the same under another name. */
  inTheWay?: string
}

/** The options that make an index another one. `collation` and `hidden` are never declared. */
const OPTIONS = [
  'unique',
  'sparse',
  'partialFilterExpression',
  'expireAfterSeconds',
  'collation',
  'hidden',
] as const

/** Compares the declared indexes of a collection with those that it has; the one of `_id` is every collection's. */
export function compareIndexes(
  declared: readonly IndexDefinition[],
  actual: readonly IndexDescriptionInfo[],
): ComparedIndex[] {
  const rest = new Map(actual.filter(({ name }) => name !== '_id_').map(index => [index.name, index]))
  const named = declared.map(index => {
    const there = rest.get(index.name)
    rest.delete(index.name)
    return { index, there }
  })
  const compared = named.map(({ index, there }): ComparedIndex => {
    const { name } = index
    if (there) {
      const differences = differencesOf(index, there)
      if (differences.length === 0) return { name, state: 'same' }
      return { name, state: 'differs', difference: differences.join(', '), inTheWay: name }
    }
    const alias = [...rest.values()].find(other => differencesOf(index, other).length === 0)?.name
    if (alias === undefined) return { name, state: 'missing' }
    rest.delete(alias)
    return { name, state: 'differs', difference: `is there as ${alias}`, inTheWay: alias }
  })
  return [...compared, ...[...rest.keys()].map(name => ({ name: name ?? '', state: 'undeclared' as const }))]
}

function differencesOf(declared: IndexDefinition, actual: IndexDescriptionInfo): string[] {
  const sameKey = isDeepStrictEqual(Object.entries(declared.key), Object.entries(actual.key))
  const options = OPTIONS.filter(
    option => !isDeepStrictEqual(optionOf(declared, option), optionOf(actual, option)),
  )
  return [...(sameKey ? [] : ['key']), ...options]
}

/** An option that is `false` is the same as one that was not given. */
function optionOf(index: object, option: (typeof OPTIONS)[number]): unknown {
  const value = (index as Record<string, unknown>)[option]
  return value === false ? undefined : value
}
