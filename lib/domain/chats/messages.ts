import { z } from 'zod'
import { digestOf } from '../digest.js'

const MAX_MESSAGES = 1_000
const MAX_TEXT = 4_000
/** Of all texts of a conversation: a page of them has to be read and sent, whatever visitors write. */
const MAX_CHARACTERS = 100_000

/** One message as the widget sends it and as it is stored: `type` is `user` or what the agent's side is called. */
export const Message = z.object({
  id: z.string().optional(),
  type: z.string(),
  text: z.string(),
  /** Milliseconds since the epoch, as the visitor's clock had it. */
  timestamp: z.number().optional(),
})
export type Message = z.infer<typeof Message>

/** A message with the `role` that dashboards read beside the widget's `type`. */
export const PublicMessage = Message.extend({ role: z.enum(['user', 'agent']) })
export type PublicMessage = z.infer<typeof PublicMessage>

/**
 * A conversation from a public capture: a lead is not lost for a message that is none. What cannot be read as a
 * message is left out, texts are cut at 4,000 characters, and of more than 1,000 messages or 100,000 characters the
 * last are kept.
 */
export const CapturedConversation = z
  .unknown()
  .optional()
  .transform((value): Message[] => lastKept(readMessages(value)))

/**
 * As `CapturedConversation`, of a chat that may be sent again and again: each message once, with an id. A missing id is
 * derived from text, type and time, and from how many equal messages came before: the whole chat sent again has the
 * same ids, and a second "yes" has another. They are counted from the beginning, before anything is cut off.
 */
export const IdentifiedConversation = z
  .unknown()
  .optional()
  .transform((value): IdentifiedMessage[] => lastKept(eachOnce(readMessages(value))).map(withId))

export type IdentifiedMessage = Message & { id: string }

/**
 * What is kept of a conversation, sent or stored: its last messages, at most 1,000 with 100,000 characters together.
 */
export function lastKept<T extends Message>(messages: readonly T[]): T[] {
  return lastWithin(messages.slice(-MAX_MESSAGES), MAX_CHARACTERS, ({ text }) => text.length)
}

/**
 * Whether a conversation may have lost messages to `lastKept`: none that was there before the first one would fit in
 * for sure.
 */
export function isFull(messages: readonly Message[]): boolean {
  const characters = messages.reduce((sum, { text }) => sum + text.length, 0)
  return messages.length >= MAX_MESSAGES || characters > MAX_CHARACTERS - MAX_TEXT
}

/** The last items whose sizes add up to at most `most`. */
export function lastWithin<T>(items: readonly T[], most: number, sizeOf: (item: T) => number): T[] {
  let left = most
  const before = items.findLastIndex(item => {
    left -= sizeOf(item)
    return left < 0
  })
  return items.slice(before + 1)
}

/** The messages as they leave the API; a document of the old system may have none. */
export function toPublicMessages(messages: readonly Message[] = []): PublicMessage[] {
  // Field by field: spreading each of the 500 messages of a page took a fifth of the reply's processor time.
  return messages.map(({ id, type, text, timestamp }) => ({
    id,
    type,
    text,
    timestamp,
    role: type === 'user' ? 'user' : 'agent',
  }))
}

/** A message, and where it has no id, how often the same was said before it. */
interface Occurrence extends Message {
  before?: number
}

function eachOnce(messages: readonly Message[]): Occurrence[] {
  const ids = new Set<string>()
  const repeats = new Map<string, number>()
  return messages.flatMap((message): Occurrence[] => {
    if (message.id === undefined) {
      const content = contentOf(message)
      const before = repeats.get(content) ?? 0
      repeats.set(content, before + 1)
      return [{ ...message, before }]
    }
    if (ids.has(message.id)) return []
    ids.add(message.id)
    return [message]
  })
}

function withId({ before, ...message }: Occurrence): IdentifiedMessage {
  const id =
    message.id ??
    digestOf([contentOf(message), before])
      .toString('base64url')
      .slice(0, 22)
  return { ...message, id }
}

function contentOf({ type, text, timestamp }: Message): string {
  return JSON.stringify([type, text, timestamp])
}

function readMessages(value: unknown): Message[] {
  return Array.isArray(value) ? value.flatMap(readMessage) : []
}

function readMessage(value: unknown): Message[] {
  if (typeof value !== 'object' || value === null) return []
  const { id, type, text, timestamp } = value as Record<string, unknown>
  if (typeof text !== 'string' || text === '') return []
  // What is undefined is not stored. To leave the fields out instead would take eight times as long.
  return [
    {
      id: isId(id) ? String(id) : undefined,
      type: typeof type === 'string' && type !== '' ? type.slice(0, 40) : 'system',
      text: text.slice(0, MAX_TEXT),
      timestamp: readTime(timestamp),
    },
  ]
}

function isId(id: unknown): id is string | number {
  return (typeof id === 'string' && id !== '' && id.length <= 100) || Number.isFinite(id)
}

function readTime(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : value
  return typeof time === 'number' && Number.isFinite(time) ? time : undefined
}
