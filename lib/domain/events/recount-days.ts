import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { bulkUpsert, retryUpsert } from '../../db/upsert.js'
import { env } from '../../env.js'
import { DAY_MS } from '../durations.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { dayOf } from './event-counts.js'
import { type MendedCount, recount } from './recount.js'

/** How many past days the first run recounts, and how often each one after that. */
const RECOUNTED_DAYS = 2

/**
 * A UTC day whose counters are still to be compared with the documents: a crash may come between a write and its count.
 */
export const RecountDay = z.object({
  /** YYYY-MM-DD. */
  _id: z.string(),
  /** Noted by maintenance since the day is, or was, the present one: its events are recounted too. */
  whole: z.literal(true).optional(),
  /** When a lead of the day was about to be counted on a later one. */
  lateAt: z.date().optional(),
})
export type RecountDay = z.infer<typeof RecountDay>

export const recountDays = collection<RecountDay>({ name: 'recountdays', schema: RecountDay, indexes: [] })

/**
 * Marks an earlier day for recounting. Call before clearing `pending`: nobody retries the count after that. The present
 * day needs no mark: it is recounted once it is over.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function noteLateCount(moment: Date, now: Date): Promise<void> {
  const day = dayOf(moment)
  if (day >= dayOf(now)) return
  const days = await recountDays.open()
  await retryUpsert(() => days.updateOne({ _id: day }, { $max: { lateAt: now } }, { upsert: true }))
}

/**
 * Recounts each day that is over since the last run, however long ago that was, twice; and of those that were noted
 * the leads. The newest first. Returns every difference that was mended.
 *
 * @param shouldStop whether to end before the next day.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recountDueDays(
  now: Date,
  shouldStop: () => boolean = () => false,
): Promise<{ mended: MendedCount[] }> {
  await notePassedDays(now)
  const days = await recountDays.open()
  const lastTime = daysBefore(now, RECOUNTED_DAYS)
  const settled = new Date(now.getTime() - REQUEST_LIFE_MS)
  const mended: MendedCount[] = []
  const due = await days
    .find({ _id: { $lt: dayOf(now) } })
    .sort({ _id: -1 })
    .toArray()
  for (const { _id, whole = false, lateAt } of due) {
    if (shouldStop()) break
    const dayStart = new Date(_id)
    mended.push(...(await recount(dayStart, whole && areEventsKept(dayStart, now))))
    // Who counts at this moment has counted twice now: the next run sees it.
    if (_id > lastTime || (lateAt && lateAt >= settled)) continue
    await days.deleteOne({ _id, lateAt: lateAt ?? { $exists: false } })
  }
  return { mended }
}

/** The days since the last run's, which is noted still; for the first run those that it recounts. */
async function notePassedDays(now: Date): Promise<void> {
  const days = await recountDays.open()
  const last = await days.findOne({ whole: true }, { sort: { _id: -1 } })
  const end = last?._id ?? daysBefore(now, RECOUNTED_DAYS + 1)
  const passed: string[] = []
  for (let day = dayOf(now); day > end; day = daysBefore(new Date(day), 1)) passed.push(day)
  const note = (_id: string) => ({ filter: { _id }, update: { $set: { whole: true as const } } })
  if (passed.length > 0) await bulkUpsert(days, passed.map(note))
}

/** Whether nothing of a day's events is deleted yet: else a recount would take what is gone for what never was. */
function areEventsKept(dayStart: Date, now: Date): boolean {
  const { eventRetentionDays } = env()
  return eventRetentionDays === undefined || dayStart.getTime() > now.getTime() - eventRetentionDays * DAY_MS
}

function daysBefore(moment: Date, days: number): string {
  return dayOf(new Date(moment.getTime() - days * DAY_MS))
}
