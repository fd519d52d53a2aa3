import type { Collection, Entry } from './collection.js'
import type { KeyField } from './index-keys.js'
import type { Filter } from './predicate.js'
import type { Doc, Value } from './values.js'

export interface Plan {
  entries: () => Iterable<Entry>
  sorted: boolean
}
export function choosePlan(
  collection: Collection,
  _filter: Filter,
  sort: readonly KeyField[],
  _hint: Value | undefined,
  document?: Doc,
): Plan {
  const id = document?._id
  if (id !== undefined && typeof id === 'string') {
    const e = collection.get(id)
    return { entries: () => (e ? [e] : []), sorted: true }
  }
  return { entries: () => collection.entries.values(), sorted: sort.length === 0 }
}
