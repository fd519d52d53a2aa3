import { env } from '../../env.js'
import { DAY_MS } from '../durations.js'
import { dayOf } from './event-counts.js'
import { events } from './events.js'

/**
 * Deletes events of days that the deployment does not keep any more, where they were stored before it had a retention:
 * all others are deleted by their `expiresAt`. A day at a time, the oldest first. Returns how many days, and how many
 * events.
 *
 * @param shouldStop whether to end before the next day.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function deleteOldEvents(
  now: Date,
  shouldStop: () => boolean = () => false,
): Promise<{ days: number; events: number }> {
  const deleted = { days: 0, events: 0 }
  const { eventRetentionDays } = env()
  if (eventRetentionDays === undefined) return deleted
  const all = await events.open()
  const firstKept = dayOf(new Date(now.getTime() - eventRetentionDays * DAY_MS))
  const withoutEnd = { expiresAt: { $exists: false } }
  while (!shouldStop()) {
    const oldest = await all.findOne(
      { ...withoutEnd, day: { $lt: firstKept } },
      { sort: { day: 1 }, projection: { day: 1 } },
    )
    if (!oldest) break
    deleted.days += 1
    deleted.events += (await all.deleteMany({ ...withoutEnd, day: oldest.day })).deletedCount
  }
  return deleted
}
