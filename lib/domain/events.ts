import { createHash } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { isDuplicateKey, onlyDuplicates } from '../db/errors.js'
import { CapturedFreeForm } from './free-form.js'
import { ProjectId } from './widget-configs.js'

const MAX_BATCH = 100

/** How far a visitor's clock may be off before its times are not believed, in milliseconds. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000
const MAX_AHEAD_MS = 5 * 60 * 1000

/** One event as a widget sends it. */
export const EventInput = z.object({
  type: z.string().trim().min(1).max(64),
  projectId: ProjectId,
  microsite: z.string().trim().max(200).optional(),
  payload: CapturedFreeForm.optional(),
  /** The client's own id of the event: the same one again is the same event. */
  id: z.string().min(1).max(100).optional(),
  /** When it happened by the visitor's clock, ISO 8601. */
  at: z.string().max(40).optional(),
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
  receivedAt: z.date(),
})
export type WidgetEvent = z.infer<typeof WidgetEvent>

export const events = collection<WidgetEvent>({
  name: 'events',
  schema: WidgetEvent,
  indexes: [
    // The days of one type on one microsite, that counters are recomputed from.
    { name: 'microsite_type_at', key: { microsite: 1, type: 1, at: -1 } },
  ],
})

/** An event as it leaves the API, with the names of the old store for its times. */
export const PublicEvent = WidgetEvent.omit({ _id: true, at: true, receivedAt: true }).extend({
  id: z.string(),
  _id: z.string(),
  at: z.date(),
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

/**
 * Stores what a widget sent. An event with a client's own id is stored once, however often it comes.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recordEvents(body: EventBody, now: Date): Promise<RecordedEvents> {
  return Array.isArray(body)
    ? { message: 'Events recorded', ...(await recordBatch(body, now)) }
    : { message: 'Event recorded', event: await recordOne(body, now) }
}

async function recordOne(input: EventInput, now: Date): Promise<PublicEvent> {
  const event = eventFrom(input, now)
  const recorded = await events.open()
  try {
    await recorded.insertOne(event)
    return toPublic(event)
  } catch (error) {
    if (!isDuplicateKey(error)) throw error
  }
  return toPublic((await recorded.findOne({ _id: event._id })) ?? event)
}

async function recordBatch(
  inputs: readonly EventInput[],
  now: Date,
): Promise<{ accepted: number; duplicates: number }> {
  const recorded = await events.open()
  const batch = inputs.map(input => eventFrom(input, now))
  const accepted = await recorded.insertMany(batch, { ordered: false }).then(
    result => result.insertedCount,
    error => {
      if (onlyDuplicates(error)) return error.insertedCount
      throw error
    },
  )
  return { accepted, duplicates: batch.length - accepted }
}

function eventFrom(input: EventInput, now: Date): WidgetEvent {
  const { type, projectId, payload, id } = input
  return {
    _id: id === undefined ? new ObjectId() : eventId(projectId, id),
    type,
    projectId,
    microsite: input.microsite || projectId,
    ...(payload && { payload }),
    at: believable(input.at ?? payload?.at, now),
    receivedAt: now,
  }
}

function eventId(projectId: string, clientId: string): ObjectId {
  const digest = createHash('sha256')
    .update(JSON.stringify([projectId, clientId]))
    .digest()
  return new ObjectId(digest.subarray(0, 12))
}

function believable(at: unknown, now: Date): Date {
  const time = typeof at === 'string' ? Date.parse(at) : Number.NaN
  const age = now.getTime() - time
  return age <= MAX_AGE_MS && age >= -MAX_AHEAD_MS ? new Date(time) : now
}

function toPublic(event: WidgetEvent): PublicEvent {
  const { _id, receivedAt, ...fields } = event
  const id = _id.toHexString()
  return { ...fields, id, _id: id, createdAt: receivedAt, updatedAt: receivedAt }
}
