import { ObjectId, type UpdateFilter } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { insertNew } from '../../db/upsert.js'
import { env } from '../../env.js'
import { given, plausibleTime } from '../client-input.js'
import { digestOf, objectIdOf } from '../digest.js'
import { DAY_MS } from '../durations.js'
import { CapturedFreeForm, type FreeForm, KeptPair } from '../free-form.js'
import { namedFieldsOf } from '../named-fields.js'
import { ProjectId } from '../widgets/widget-configs.js'
import { type CountedType, countEach, dayOf, type EventCount } from './event-counts.js'
import { meetTwin, type Side } from './event-pairs.js'

const MAX_BATCH = 100
/** How many of them look for their twins at once: other requests want some of the pool's connections too. */
const AT_ONCE = 5

/** How old an event may be by its visitor's clock before that is not believed. */
const MAX_AGE_MS = DAY_MS

/** One event as a widget sends it. */
export const EventInput = z.object({
  type: z.string().trim().min(1).max(64),
  projectId: ProjectId,
  microsite: given(z.string().trim().max(200)),
  payload: CapturedFreeForm.optional(),
  /** The client's own id of the event: the same one again is the same event. */
  id: given(z.string().min(1).max(100)),
  /** When it happened by the visitor's clock, ISO 8601. */
  at: given(z.string().max(40)),
})
export type EventInput = z.infer<typeof EventInput>

/** What the route accepts: one event, or up to 100 at once. */
export const EventBody = z.union([EventInput, z.array(EventInput).min(1).max(MAX_BATCH)])
export type EventBody = z.infer<typeof EventBody>

export const WidgetEvent = z.object({
  /** Derived from the client's own id where it gave one, so that the event is stored once. */
  _id: z.instanceof(ObjectId),
  type: z.string(),
  projectId: z.string(),
  microsite: z.string(),
  payload: z.record(z.string(), z.unknown()).optional(),
  /** When it happened: the visitor's time within reason, else ours. */
  at: z.date(),
  /** The UTC day it counts for: of the time that its client vouched for, else of its arrival. */
  day: z.string(),
  receivedAt: z.date(),
  /** When it is deleted, where the deployment keeps events for a limited time. */
  expiresAt: z.date().optional(),
  /** What the old store had of it that has no place here, and the migration that brought it. */
  metadata: z.object({ legacy: z.array(KeptPair) }).optional(),
  migration: z.number().int().optional(),
})
export type WidgetEvent = z.infer<typeof WidgetEvent>

export const events = collection<WidgetEvent>({
  name: 'events',
  schema: WidgetEvent,
  indexes: [
    // Counters of a day are recomputed from the index alone.
    { name: 'day_type', key: { day: 1, type: 1, projectId: 1, microsite: 1 } },
    { name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 },
  ],
})

/** An event as it leaves the API, with the names of the old store for its times. */
export const PublicEvent = WidgetEvent.omit({
  _id: true,
  day: true,
  receivedAt: true,
  expiresAt: true,
  metadata: true,
  migration: true,
}).extend({
  id: z.string(),
  _id: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type PublicEvent = z.infer<typeof PublicEvent>

/** What a widget is answered: its event, or how many of a batch were new. */
export const RecordedEvents = z.union([
  z.object({ message: z.string(), event: PublicEvent }),
  z.object({ message: z.string(), accepted: z.number().int(), duplicates: z.number().int() }),
])
export type RecordedEvents = z.infer<typeof RecordedEvents>

/** What recording has to know of the request it came with. */
interface EventRequest {
  now: Date
  clientAddress: string
  userAgent: string
  background(task: Promise<unknown>): void
}

/**
 * Stores what a widget sent, each event once: by the id that its client gave it, else as one with the twin that
 * every widget sends along. Only what is new is counted, after the answer.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recordEvents(body: EventBody, request: EventRequest): Promise<RecordedEvents> {
  const inputs = [body].flat()
  const incoming: Incoming[] = []
  for (let i = 0; i < inputs.length; i += AT_ONCE) {
    const some = inputs.slice(i, i + AT_ONCE)
    incoming.push(...(await Promise.all(some.map(input => identify(input, request)))))
  }
  const inserted = await storeNew(incoming)
  const counted = incoming.filter((_, i) => inserted.has(i)).flatMap(({ event }) => countersOfEvent(event))
  if (counted.length > 0) request.background(countEach(counted))

  const [first] = incoming
  if (Array.isArray(body) || first === undefined)
    return {
      message: 'Events recorded',
      accepted: inserted.size,
      duplicates: incoming.length - inserted.size,
    }
  // An event is answered as it was sent, and at the time when its client's id came first: what is stored under an id
  // that somebody else guessed is not told.
  const known = !inserted.has(0) && first.side === undefined
  const times = { projection: { _id: 0, at: 1, receivedAt: 1 } }
  const stored = known ? await (await events.open()).findOne({ _id: first.event._id }, times) : null
  return { message: 'Event recorded', event: toPublic({ ...first.event, ...stored }) }
}

/** An event under the id that it is stored by. */
interface Incoming {
  event: WidgetEvent
  /** Which of the twins it is; undefined for an event with an id of its client's. */
  side?: Side
}

async function identify(input: EventInput, request: EventRequest): Promise<Incoming> {
  const { type, projectId, payload, id } = input
  const { now, clientAddress, userAgent } = request
  const microsite = input.microsite || projectId
  const { eventRetentionDays } = env()
  const event = {
    type,
    projectId,
    microsite,
    ...(payload && { payload }),
    at: believable(input.at ?? payload?.at, now),
    day: dayOf(believable(input.at, now)),
    receivedAt: now,
    ...(eventRetentionDays && { expiresAt: new Date(now.getTime() + eventRetentionDays * DAY_MS) }),
  }
  if (id !== undefined) return { event: { _id: eventId(projectId, id), ...event } }

  const { projectId: _project, microsite: _microsite, at, ...own } = payload ?? {}
  const side = at === undefined ? 'plain' : 'timed'
  const alike = [type, projectId, microsite, sorted(own), clientAddress, userAgent]
  return { event: { _id: await meetTwin(alike, side, now), ...event }, side }
}

/** Stores what is not there yet, and says by position what that was. */
async function storeNew(incoming: readonly Incoming[]): Promise<Set<number>> {
  const recorded = await events.open()
  const inserted = await insertNew(
    recorded,
    incoming.map(({ event }) => event),
  )
  const known = incoming.filter((_, position) => !inserted.has(position))
  if (known.length > 0)
    await recorded.bulkWrite(
      known.map(({ event, side }) => ({
        updateOne: { filter: { _id: event._id }, update: seenAgain(event, side) },
      })),
      { ordered: false },
    )
  return inserted
}

/**
 * The update of an event that is there already. Whichever twin comes first, the one with the visitor's time is kept in
 * the end. The other changes nothing but is written too: a duplicate alone does not show that a majority has the event
 * (see `insertOnce`).
 */
function seenAgain({ type, payload, at }: WidgetEvent, side: Side | undefined): UpdateFilter<WidgetEvent> {
  return side === 'timed' ? { $set: { ...(payload && { payload }), at } } : { $setOnInsert: { type } }
}

/** The widgets' names of what is counted. A captured lead is counted where it is stored. */
const COUNTED: Readonly<Record<string, CountedType>> = {
  chat_shown: 'chatsShown',
  chat_started: 'chatsStarted',
}

/** The types of events that are counted. */
export const COUNTED_EVENTS = Object.keys(COUNTED)

/** The counter that an event belongs to, if to any. */
export function countersOfEvent({
  type,
  projectId,
  microsite,
  day,
}: Pick<WidgetEvent, 'type' | 'projectId' | 'microsite' | 'day'>): EventCount['_id'][] {
  const counted = Object.hasOwn(COUNTED, type) ? COUNTED[type] : undefined
  return counted === undefined ? [] : [{ projectId, microsite, type: counted, day }]
}

/** Twins need not send their fields in the same order. */
function sorted(fields: FreeForm): [string, unknown][] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
}

function eventId(projectId: string, clientId: string): ObjectId {
  return objectIdOf(digestOf([projectId, clientId]))
}

/** The time that a visitor's clock gave, where it is near enough to ours; else ours. */
export function believable(at: unknown, now: Date): Date {
  return (typeof at === 'string' && plausibleTime(new Date(at), now, MAX_AGE_MS)) || now
}

const publicFieldsOf = namedFieldsOf(PublicEvent)

function toPublic(event: WidgetEvent): PublicEvent {
  const { _id, receivedAt } = event
  const id = _id.toHexString()
  return { ...publicFieldsOf(event), id, _id: id, createdAt: receivedAt, updatedAt: receivedAt }
}
