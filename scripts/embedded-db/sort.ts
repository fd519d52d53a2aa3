import { compoundKey, indexKeys, type KeyField } from './index-keys.js'
import type { Doc } from './values.js'

/** The key that a document sorts by: of an array, what comes first in the direction asked for. */
export function sortKey(document: Doc, sort: readonly KeyField[]): string {
  let least: string | undefined
  for (const values of indexKeys(document, sort)) {
    const key = compoundKey(values, sort)
    if (least === undefined || key < least) least = key
  }
  return least ?? ''
}

/** Sorts what has a sort key; what sorts alike keeps its order. */
export function sortBy<T>(items: Iterable<T>, keyOf: (item: T) => string): T[] {
  const keyed = Array.from(items, item => ({ item, key: keyOf(item) }))
  keyed.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0))
  return keyed.map(({ item }) => item)
}
