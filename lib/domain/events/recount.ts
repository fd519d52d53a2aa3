import { unlessTaken } from '../../db/upsert.js'
import { DAY_MS } from '../durations.js'
import { leads } from '../leads/leads.js'
import { type CountedType, dayOf, type EventCount, eventCounts } from './event-counts.js'
import { COUNTED_EVENTS, countersOfEvent, events } from './events.js'

/** A counter that said something else than the documents do. */
export interface MendedCount {
  counter: EventCount['_id']
  was: number
  is: number
}

/**
 * Recomputes the counters of one past UTC day and mends those that a crash between a document and its count left
 * behind. Returns every difference that was mended.
 *
 * @param areEventsKept whether the events of the day are all still there: else only its leads are recounted.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recount(dayStart: Date, areEventsKept = true): Promise<MendedCount[]> {
  const [actual, counted] = await Promise.all([
    countDocuments(dayStart, areEventsKept),
    readCounts(dayOf(dayStart), areEventsKept),
  ])
  const mended: MendedCount[] = []
  for (const [key, counter] of new Map([...actual.ids, ...counted.ids])) {
    const was = counted.counts.get(key)
    const is = actual.counts.get(key) ?? 0
    if ((was ?? 0) !== is && (await mend(counter, was, is))) mended.push({ counter, was: was ?? 0, is })
  }
  return mended
}

const LEADS: CountedType = 'leadsCaptured'

/** Counts by their id, which is no key of a map by itself. */
class Tally {
  readonly ids = new Map<string, EventCount['_id']>()
  readonly counts = new Map<string, number>()

  add({ projectId, microsite, type, day }: EventCount['_id'], count: number): void {
    const key = JSON.stringify([projectId, microsite, type, day])
    this.ids.set(key, { projectId, microsite, type, day })
    this.counts.set(key, (this.counts.get(key) ?? 0) + count)
  }
}

interface Group {
  _id: { projectId: string; microsite: string; type: string }
  count: number
}

async function countDocuments(dayStart: Date, areEventsKept: boolean): Promise<Tally> {
  const day = dayOf(dayStart)
  const createdAt = { $gte: dayStart, $lt: new Date(dayStart.getTime() + DAY_MS) }
  const byPlace = { projectId: '$projectId', microsite: '$microsite' }
  const [captured, shown] = await Promise.all([
    (await leads.open()).aggregate<Group>([
      { $match: { quarantined: false, createdAt, pending: { $exists: false } } },
      { $group: { _id: byPlace, count: { $sum: 1 } } },
    ]),
    (await events.open()).aggregate<Group>([
      { $match: { day, type: { $in: areEventsKept ? COUNTED_EVENTS : [] } } },
      { $group: { _id: { ...byPlace, type: '$type' }, count: { $sum: 1 } } },
    ]),
  ])
  const tally = new Tally()
  for await (const { _id, count } of captured) tally.add({ ..._id, type: LEADS, day }, count)
  for await (const { _id, count } of shown)
    for (const counter of countersOfEvent({ ..._id, day })) tally.add(counter, count)
  return tally
}

async function readCounts(day: string, areEventsKept: boolean): Promise<Tally> {
  const tally = new Tally()
  const counted = { '_id.day': day, ...(!areEventsKept && { '_id.type': LEADS }) }
  for await (const { _id, count } of (await eventCounts.open()).find(counted)) tally.add(_id, count)
  return tally
}

/** Sets a counter unless it moved since it was read: then it is somebody else's to be right about. */
async function mend(_id: EventCount['_id'], was: number | undefined, is: number): Promise<boolean> {
  const counts = await eventCounts.open()
  const unmoved = was === undefined ? { $exists: false } : was
  const written = await unlessTaken(() =>
    counts.updateOne({ _id, count: unmoved }, { $set: { count: is } }, { upsert: was === undefined }),
  )
  return written !== undefined && written.modifiedCount + written.upsertedCount === 1
}
