import { CommandError, unsupported } from './errors.js'
import { compoundKey, indexKeys, type KeyField, type KeyValues } from './index-keys.js'
import { compare } from './order.js'
import { type Doc, fieldsOf, isDoc, isNumeric, namesOf, toNumber, type Value } from './values.js'

/** Reads a sort specification. Throws for directions other than 1 and -1 (15975). */
export function parseSort(sort: Doc | undefined): KeyField[] {
  return fieldsOf(sort ?? {}).map(([path, value]) => {
    if (isDoc(value)) throw unsupported('$meta in a sort')
    const direction = isNumeric(value) ? toNumber(value) : 0
    if (direction !== 1 && direction !== -1) {
      throw new CommandError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)')
    }
    return { path, parts: path.split('.'), direction }
  })
}

/** The key that a document sorts by: of an array, what comes first in the direction asked for. */
export function sortKey(document: Doc, sort: readonly KeyField[]): string {
  let least: string | undefined
  for (const values of keysToSort(document, sort)) {
    const key = compoundKey(values, sort)
    if (least === undefined || key < least) least = key
  }
  return least ?? ''
}

function keysToSort(document: Doc, sort: readonly KeyField[]): KeyValues[] {
  try {
    return indexKeys(document, sort)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError('BadValue', 'cannot sort with keys that are parallel arrays')
  }
}

/** Sorts what has a sort key; what sorts alike keeps its order. */
export function sortBy<T>(items: Iterable<T>, keyOf: (item: T) => string): T[] {
  const keyed = Array.from(items, item => ({ item, key: keyOf(item) }))
  keyed.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0))
  return keyed.map(({ item }) => item)
}

/** Sorts an array's elements by their own order (1, -1) or by fields of theirs: `$push` and `$sortArray`. */
export function sortElements(elements: Value[], by: Value): Value[] {
  if (isNumeric(by)) {
    const sign = toNumber(by)
    if (sign !== 1 && sign !== -1) {
      throw new CommandError('BadValue', 'The $sort element value must be either 1 or -1')
    }
    return elements.toSorted((one, other) => sign * compare(one, other))
  }
  if (!isDoc(by) || namesOf(by).length === 0) {
    throw new CommandError('BadValue', 'The $sort is invalid: use 1/-1 or a document of {field: 1/-1}')
  }
  const fields = parseSort(by)
  return sortBy(elements, element => sortKey(isDoc(element) ? element : {}, fields))
}
