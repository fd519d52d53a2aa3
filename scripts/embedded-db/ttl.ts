import { descending, type Interval, rangeOf } from './intervals.js'
import type { Store } from './store.js'

/**
 * Removes what TTL indexes say is over: where the least of a document's dates is further back than the index allows.
 */
export function removeExpired(store: Store, now: Date): number {
  let removed = 0
  for (const collection of store.collections()) {
    for (const { spec, map } of collection.indexes.values()) {
      if (spec.expireAfterSeconds === undefined) continue
      const over = new Date(now.getTime() - spec.expireAfterSeconds * 1000)
      const ascending = rangeOf('$lte', over) as Interval[]
      const [range] = (spec.fields[0]?.direction === -1 ? descending(ascending) : ascending) as [Interval]
      for (const [, entry] of [...map.range(range.low, range.high)]) {
        // An array has several dates, and with them several keys.
        if (collection.entries.get(entry.id) !== entry) continue
        collection.remove(entry)
        removed++
      }
    }
  }
  return removed
}
