import { z } from 'zod'
import { given, plausibleTime } from '../client-input.js'
import { DAY_MS, DAY_SECONDS } from '../durations.js'
import { StrictFreeForm } from '../free-form.js'
import { UserId } from '../ids.js'
import { InventoryNumber } from '../phones/phone-numbers.js'
import { TURN_METRICS } from './conversation-metrics.js'
import { ConversationStatus } from './conversations.js'

const MAX_MESSAGE = 20_000
const MAX_URL = 4_000

/** How late the voice agent's post may be before its time is not believed. */
const MAX_AGE_MS = 7 * DAY_MS

/** Nothing but blanks says nothing. */
const Message = z
  .string()
  .max(MAX_MESSAGE)
  .transform(text => (text.trim() ? text : undefined))

const MediaUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).max(MAX_URL)

/** As `given`, of a text that may be empty instead. */
function givenText<T extends z.ZodType<string>>(field: T) {
  return given(z.union([field, z.literal('')]).transform(text => text || undefined))
}

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
    const isTime = typeof value === 'number' && value >= 0 && value <= DAY_MS
    if (value !== undefined && value !== null && !isTime)
      context.addIssue({ code: 'custom', path: [name], message: 'must be milliseconds, at most a day' })
  }
})

/** What the voice agent posts of a call: a turn of it, or only how far it is. */
export const ConversationInput = z
  .object({
    userId: given(UserId),
    /** The called number; with a `userId` it need not be there. */
    to: given(CallerNumber),
    /** The caller's. */
    phoneNumber: givenText(CallerNumber),
    sessionId: Id,
    callSid: givenText(Id),
    /** The client's own id of the turn; without one its content tells turns apart. */
    turnId: given(z.union([Id, z.number().int()]).transform(String)),
    /** When the turn was, ISO 8601 or milliseconds since the epoch; without it, when it arrives. */
    at: given(At.transform(at => new Date(at))),
    userMessage: given(Message),
    aiResponse: given(Message),
    audioUrl: givenText(MediaUrl),
    responseAudioUrl: givenText(MediaUrl),
    /** Of the whole call so far, in seconds. */
    duration: given(z.number().min(0).max(DAY_SECONDS)),
    status: ConversationStatus.default('processing'),
    metadata: given(Metadata),
  })
  .refine(({ userId, to }) => userId !== undefined || to !== undefined, {
    path: ['userId'],
    error: 'is required where there is no called number (to)',
  })
export type ConversationInput = z.infer<typeof ConversationInput>

/** The time that a post gives, unless it cannot be right. */
export function believedTime({ at }: ConversationInput, now: Date): Date | undefined {
  return at && plausibleTime(at, now, MAX_AGE_MS)
}
