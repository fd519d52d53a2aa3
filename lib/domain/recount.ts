import { isDuplicateKey } from '../db/errors.js'
import { dayOf, type EventCount, eventCounts } from './event-counts.js'
import { leads } from './leads.js'

const DAY_MS = 24 * 60 * 60 * 1000

/** A counter that said something else than the documents do. */
export interface MendedCount {
  microsite: string
  day: string
  was: number
  is: number
}

/**
 * Recomputes the captured leads of one past UTC day and mends the counters that a crash between a lead and its
 * count left behind. Returns every difference that was mended.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recountLeads(dayStart: Date): Promise<MendedCount[]> {
  const day = dayOf(dayStart)
  const [actual, counted] = await Promise.all([countLeads(dayStart), readCounts(day)])
  const mended: MendedCount[] = []
  for (const microsite of new Set([...actual.keys(), ...counted.keys()])) {
    const was = counted.get(microsite)
    const is = actual.get(microsite) ?? 0
    if ((was ?? 0) === is) continue
    if (await mend({ microsite, type: 'leadsCaptured', day }, was, is))
      mended.push({ microsite, day, was: was ?? 0, is })
  }
  return mended
}

async function countLeads(dayStart: Date): Promise<Map<string, number>> {
  const captured = await leads.open()
  const createdAt = { $gte: dayStart, $lt: new Date(dayStart.getTime() + DAY_MS) }
  const groups = captured.aggregate<{ _id: string; count: number }>([
    { $match: { createdAt, spam: { $exists: false } } },
    { $group: { _id: '$microsite', count: { $sum: 1 } } },
  ])
  return new Map((await groups.toArray()).map(group => [group._id, group.count]))
}

async function readCounts(day: string): Promise<Map<string, number>> {
  const counts = await eventCounts.open()
  const stored = await counts.find({ '_id.day': day, '_id.type': 'leadsCaptured' }).toArray()
  return new Map(stored.map(({ _id, count }) => [_id.microsite, count]))
}

/** Sets a counter unless it moved since it was read: then it is somebody else's to be right about. */
async function mend(_id: EventCount['_id'], was: number | undefined, is: number): Promise<boolean> {
  const counts = await eventCounts.open()
  const unmoved = was === undefined ? { $exists: false } : was
  try {
    const written = await counts.updateOne(
      { _id, count: unmoved },
      { $set: { count: is } },
      { upsert: was === undefined },
    )
    return written.modifiedCount + written.upsertedCount === 1
  } catch (error) {
    if (isDuplicateKey(error)) return false
    throw error
  }
}
