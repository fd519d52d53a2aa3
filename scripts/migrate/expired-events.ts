import { DAY_MS } from '../../lib/domain/durations.js'
import { events } from '../../lib/domain/events/events.js'
import { migrations } from '../../lib/domain/maintenance/migrations.js'

/**
 * The moment up to which events were imported and counted by a migration of which some have expired since, or do within
 * a day. Which ones, nobody knows: a row from before then that is not there is not imported again, or it would be
 * counted twice. Undefined where all that was imported is there.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function findExpiredUntil(now: Date): Promise<Date | undefined> {
  const all = await events.open()
  const tomorrow = new Date(now.getTime() + DAY_MS)
  const newestFirst = (await migrations.open()).find({ state: 'done' }).sort({ _id: -1 })
  for await (const { _id, finishedAt, counts } of newestFirst) {
    const kept = await all.countDocuments({ migration: _id, expiresAt: { $not: { $lte: tomorrow } } })
    if (kept < (counts?.[events.name] ?? 0)) return finishedAt
  }
  return undefined
}
