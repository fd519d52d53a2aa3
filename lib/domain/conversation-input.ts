import { z } from 'zod'
import { TURN_METRICS } from './conversation-metrics.js'
import { ConversationStatus } from './conversations.js'
import { StrictFreeForm } from './free-form.js'
import { UserId } from './ids.js'
import { InventoryNumber } from './phone-numbers.js'

const MAX_MESSAGE = 20_000
const MAX_URL = 4_000
const DAY_SECONDS = 24 * 60 * 60

/** How far the voice agent's clock may be off, or its post be late, before its time is not believed. */
const MAX_AGE_MS = 7 * DAY_SECONDS * 1000
const MAX_AHEAD_MS = 5 * 60 * 1000

/** Null and nothing but blanks say nothing, as not being there does. */
function optionalText(maximum: number) {
  return z
    .string()
    .max(maximum)
    .nullish()
    .transform(text => (text?.trim() ? text : undefined))
}

const Message = optionalText(MAX_MESSAGE)

const MediaUrl = z
  .union([z.literal(''), z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).max(MAX_URL)])
  .nullish()
  .transform(url => url || undefined)

/** A number as it is stored and searched for: what is none (`anonymous`, a SIP address) is kept as it came. */
export const CallerNumber = z
  .string()
  .trim()
  .min(1)
  .max(64)
  .transform(raw => InventoryNumber.safeParse(raw).data ?? raw)

const Id = z.string().trim().min(1).max(200)

const At = z.union([
  z.iso.datetime({ offset: true, error: 'must be an ISO 8601 time with its zone, or milliseconds' }),
  z.number().int().min(0).max(8.64e15),
])

const Metadata = StrictFreeForm.superRefine((metadata, context) => {
  for (const name of TURN_METRICS) {
    const value = metadata[name]
    const isTime = typeof value === 'number' && value >= 0 && value <= DAY_SECONDS * 1000
    if (value !== undefined && value !== null && !isTime)
      context.addIssue({ code: 'custom', path: [name], message: 'must be milliseconds, at most a day' })
  }
})

/** What the voice agent posts of a call: a turn of it, or only how far it is. */
export const ConversationInput = z
  .object({
    userId: UserId.nullish().transform(id => id ?? undefined),
    /** The called number; with a `userId` it need not be there. */
    to: CallerNumber.nullish().transform(number => number ?? undefined),
    /** The caller's. */
    phoneNumber: CallerNumber.or(z.literal(''))
      .nullish()
      .transform(number => number || undefined),
    sessionId: Id,
    callSid: Id.or(z.literal(''))
      .nullish()
      .transform(id => id || undefined),
    /** The client's own id of the turn; without one its content tells turns apart. */
    turnId: z
      .union([Id, z.number().int()])
      .nullish()
      .transform(id => (id === null || id === undefined ? undefined : String(id))),
    /** When the turn was, ISO 8601 or milliseconds since the epoch; without it, when it arrives. */
    at: At.nullish().transform(at => (at === null || at === undefined ? undefined : new Date(at))),
    userMessage: Message,
    aiResponse: Message,
    audioUrl: MediaUrl,
    responseAudioUrl: MediaUrl,
    /** Of the whole call so far, in seconds. */
    duration: z
      .number()
      .min(0)
      .max(DAY_SECONDS)
      .nullish()
      .transform(seconds => seconds ?? undefined),
    status: ConversationStatus.default('processing'),
    metadata: Metadata.nullish().transform(metadata => metadata ?? undefined),
  })
  .refine(({ userId, to }) => userId !== undefined || to !== undefined, {
    path: ['userId'],
    error: 'is required where there is no called number (to)',
  })
export type ConversationInput = z.infer<typeof ConversationInput>

/** The time that a post gives, unless it cannot be right. */
export function believedTime({ at }: ConversationInput, now: Date): Date | undefined {
  if (at === undefined) return undefined
  const ageMs = now.getTime() - at.getTime()
  return ageMs <= MAX_AGE_MS && ageMs >= -MAX_AHEAD_MS ? at : undefined
}
