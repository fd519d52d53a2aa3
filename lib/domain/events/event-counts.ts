import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { bulkUpsert } from '../../db/upsert.js'

/** What is counted by day beside the raw documents, so that a summary costs days and not events. */
export const CountedType = z.enum(['chatsShown', 'chatsStarted', 'leadsCaptured'])
export type CountedType = z.infer<typeof CountedType>

/** How many of one type there were in one place on one UTC day. A cache: recomputable from the documents. */
export const EventCount = z.object({
  _id: z.object({
    projectId: z.string(),
    microsite: z.string(),
    type: CountedType,
    /** YYYY-MM-DD. */
    day: z.string(),
  }),
  count: z.number().int().nonnegative(),
  /** The migration that made it, and how much of the count each one added: each adds once. */
  migration: z.number().int().optional(),
  imports: z.array(z.object({ migration: z.number().int(), count: z.number().int() })).optional(),
})
export type EventCount = z.infer<typeof EventCount>

export const eventCounts = collection<EventCount>({
  name: 'eventcounts',
  schema: EventCount,
  indexes: [
    // The days of a microsite, of an owner's projects, and of everything.
    { name: 'microsite_day', key: { '_id.microsite': 1, '_id.day': 1 } },
    { name: 'project_day', key: { '_id.projectId': 1, '_id.day': 1 } },
    { name: 'day', key: { '_id.day': 1, '_id.type': 1 } },
  ],
})

/** The UTC day of a moment as counters name it. */
export function dayOf(moment: Date): string {
  return moment.toISOString().slice(0, 10)
}

/**
 * Counts one more of each. Only for what was stored just now: a retry that finds its document there counts
 * nothing.
 */
export async function countEach(counted: readonly EventCount['_id'][]): Promise<void> {
  if (counted.length === 0) return
  const totals = new Map<string, { _id: EventCount['_id']; count: number }>()
  for (const { projectId, microsite, type, day } of counted) {
    // The order of the fields is part of the id.
    const _id = { projectId, microsite, type, day }
    const key = JSON.stringify(_id)
    totals.set(key, { _id, count: (totals.get(key)?.count ?? 0) + 1 })
  }
  // In one order: two requests that lock the same counters in opposite orders would wait for each other.
  const inOrder = [...totals].sort(([a], [b]) => (a < b ? -1 : 1))
  await bulkUpsert(
    await eventCounts.open(),
    inOrder.map(([, { _id, count }]) => ({ filter: { _id }, update: { $inc: { count } } })),
  )
}
