import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { retryUpsert } from '../../db/upsert.js'
import { digestOf } from '../digest.js'

/** How far apart the twins of one event arrive at most; the contract's number. */
const WINDOW_MS = 3_000

/** How many events of one kind from one client wait at most: what waited longest meets no twin then. */
const MAX_WAITING = 200

/** How long a pair document outlives its last event. */
const KEPT_MS = 60_000

/**
 * Every widget sends each event twice, and only one of the twins carries the visitor's time in its payload. The
 * two sides of everything that was sent alike: one type, project, microsite, own fields, address and user agent.
 */
export type Side = 'timed' | 'plain'

const Waiting = z.object({ eventId: z.instanceof(ObjectId), side: z.enum(['timed', 'plain']), at: z.date() })

/** The events of one kind from one client that still wait for their twin. */
export const EventPair = z.object({
  /** Hash of all that twins have in common. */
  _id: z.string(),
  waiting: z.array(Waiting),
  /** The one that the last event found; null where it waits itself. */
  twin: Waiting.nullable(),
  expiresAt: z.date(),
})
export type EventPair = z.infer<typeof EventPair>

export const eventPairs = collection<EventPair>({
  name: 'eventpairs',
  schema: EventPair,
  indexes: [{ name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 }],
})

/**
 * The id to store an event under: that of a twin which arrived within three seconds and still waits, else a new one,
 * under which its own twin will find it. It is one atomic write: of any number at once, each meets at most one other.
 *
 * @param alike all that twins have in common.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function meetTwin(alike: readonly unknown[], side: Side, now: Date): Promise<ObjectId> {
  const pairs = await eventPairs.open()
  const _id = digestOf(alike).toString('base64url')
  const eventId = new ObjectId()
  const since = new Date(now.getTime() - WINDOW_MS)
  const meet = () =>
    pairs.findOneAndUpdate({ _id }, meeting({ eventId, side, at: now }, since), {
      upsert: true,
      returnDocument: 'after',
      // A pair that is lost in a crash shows an event twice; it need not wait for the journal.
      writeConcern: { w: 1, journal: false },
    })
  const pair = await retryUpsert(meet)
  return pair?.twin?.eventId ?? eventId
}

/**
 * Drops the events that waited too long, then takes the longest waiting one of the other side, or lets this one wait.
 */
function meeting(own: z.infer<typeof Waiting>, since: Date): Record<string, unknown>[] {
  const inTime = { $gte: ['$$one.at', since] }
  const opposite = { $ne: ['$$one.side', own.side] }
  const not = (id: string) => ({ $ne: ['$$one.eventId', id] })
  const those = (input: unknown, cond: unknown) => ({ $filter: { input, as: 'one', cond } })
  return [
    { $set: { waiting: those({ $ifNull: ['$waiting', []] }, inTime) } },
    { $set: { twin: { $ifNull: [{ $arrayElemAt: [those('$waiting', opposite), 0] }, null] } } },
    {
      $set: {
        waiting: {
          $cond: [
            { $eq: ['$twin', null] },
            { $slice: [{ $concatArrays: ['$waiting', [own]] }, -MAX_WAITING] },
            those('$waiting', not('$twin.eventId')),
          ],
        },
        expiresAt: new Date(own.at.getTime() + KEPT_MS),
      },
    },
  ]
}
