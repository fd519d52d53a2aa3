import { invert, orderKey, rank } from './order.js'
import { conjuncts, type Filter, type Leaf } from './predicate.js'
import type { Value } from './values.js'

/** Above every continuation of a key: keys consist of one-byte characters. */
export const AFTER = '\u0100'

/** The order keys `low <= key < high`; a bound that ends in AFTER stands behind all keys that it begins. */
export interface Interval {
  low: string
  high: string
}

/** What a filter says of each path: lists of intervals, each of which one of the path's values has to be in. */
export type Bounds = ReadonlyMap<string, readonly Interval[][]>

export const NULL_KEY = orderKey(null)

/** Collects the intervals of everything that has to hold; a path under every branch of an `$or` counts too. */
export function boundsOf(filter: Filter): Bounds {
  const bounds = new Map<string, Interval[][]>()
  const add = (path: string, intervals: Interval[]) => {
    const lists = bounds.get(path)
    if (lists) lists.push(intervals)
    else bounds.set(path, [intervals])
  }
  for (const part of conjuncts(filter)) {
    if (part.kind === 'leaf') {
      const intervals = intervalsOf(part)
      if (intervals) add(part.path, intervals)
    } else if (part.kind === 'or') {
      for (const [path, intervals] of alternatives(part.children)) add(path, intervals)
    }
  }
  return bounds
}

/** The intervals one condition allows, or undefined where it does not bound the keys of an index. */
export function intervalsOf({ operator, operand }: Leaf): Interval[] | undefined {
  switch (operator) {
    case '$eq':
      return Array.isArray(operand) ? undefined : [point(operand)]
    case '$in':
      return (operand as Value[]).some(Array.isArray) ? undefined : union((operand as Value[]).map(point))
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return rangeOf(operator, operand)
    default:
      return undefined
  }
}

export function isPoint({ low, high }: Interval): boolean {
  return high === low + AFTER
}

export function includes(intervals: readonly Interval[], key: string): boolean {
  return intervals.some(({ low, high }) => low <= key && key < high)
}

/** Whether every key of `inner` is one of `outer`. Both are sorted, without overlaps. */
export function isWithin(inner: readonly Interval[], outer: readonly Interval[]): boolean {
  return inner.every(({ low, high }) => outer.some(wide => wide.low <= low && high <= wide.high))
}

export function intersection(one: readonly Interval[], other: readonly Interval[]): Interval[] {
  return one.flatMap(left =>
    other.flatMap(right => {
      const { low } = left.low < right.low ? right : left
      const { high } = left.high < right.high ? left : right
      return low < high ? [{ low, high }] : []
    }),
  )
}

/** The same intervals over the keys of a descending field, again in ascending order. */
export function descending(intervals: readonly Interval[]): Interval[] {
  return intervals.map(({ low, high }) => ({ low: flip(high), high: flip(low) })).reverse()
}

function flip(bound: string): string {
  return bound.endsWith(AFTER) ? invert(bound.slice(0, -1)) : invert(bound) + AFTER
}

function point(value: Value): Interval {
  const low = orderKey(value)
  return { low, high: low + AFTER }
}

function union(intervals: Interval[]): Interval[] {
  const merged: Interval[] = []
  for (const next of intervals.toSorted((one, other) => (one.low < other.low ? -1 : 1))) {
    const last = merged.at(-1)
    if (last && next.low <= last.high) {
      if (next.high > last.high) merged[merged.length - 1] = { low: last.low, high: next.high }
    } else merged.push(next)
  }
  return merged
}

/** The keys of one type that a range operator allows. */
export function rangeOf(operator: '$gt' | '$gte' | '$lt' | '$lte', operand: Value): Interval[] | undefined {
  if (Array.isArray(operand)) return undefined
  const inclusive = operator.endsWith('e')
  const { low, high } = point(operand)
  const type = String.fromCharCode(rank(operand))
  if (operator.startsWith('$g')) return [{ low: inclusive ? low : high, high: type + AFTER }]
  // The least key of the type has the NUL. Without it two ranges that make up the type would look like one value.
  return [{ low: `${type}\0`, high: inclusive ? high : low }]
}

function alternatives(branches: readonly Filter[]): Map<string, Interval[]> {
  const [first, ...others] = branches.map(boundsOf)
  const shared = new Map<string, Interval[]>()
  for (const [path, lists] of first ?? []) {
    const all = [lists, ...others.map(bounds => bounds.get(path))]
    // Any one list of a branch holds all its values, so the first is as right as the narrowest.
    const firsts = all.flatMap(list => (list?.[0] ? [list[0]] : []))
    if (firsts.length === all.length) shared.set(path, union(firsts.flat()))
  }
  return shared
}
