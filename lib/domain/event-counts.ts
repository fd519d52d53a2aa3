import { z } from 'zod'
import { collection } from '../db/collection.js'

/** What is counted by day beside the raw documents, so that a summary costs days and not events. */
export const CountedType = z.enum(['leadsCaptured'])
export type CountedType = z.infer<typeof CountedType>

/** How many of one type there were on one microsite on one UTC day. A cache: recomputable from the documents. */
export const EventCount = z.object({
  _id: z.object({
    microsite: z.string(),
    type: CountedType,
    /** YYYY-MM-DD. */
    day: z.string(),
  }),
  count: z.number().int().nonnegative(),
})
export type EventCount = z.infer<typeof EventCount>

export const eventCounts = collection<EventCount>({
  name: 'eventcounts',
  schema: EventCount,
  indexes: [
    // The counters of one day, to compare them with what they were counted from.
    { name: 'day', key: { '_id.day': 1, '_id.type': 1 } },
  ],
})

/** The UTC day of a moment as counters name it. */
export function dayOf(moment: Date): string {
  return moment.toISOString().slice(0, 10)
}

/** Counts one more. Only for what was stored just now: a retry that finds its document there counts nothing. */
export async function countOne(type: CountedType, microsite: string, moment: Date): Promise<void> {
  const counts = await eventCounts.open()
  await counts.updateOne(
    { _id: { microsite, type, day: dayOf(moment) } },
    { $inc: { count: 1 } },
    { upsert: true },
  )
}
