import { z } from 'zod'

export const MAX_MESSAGES = 1_000
export const MAX_TEXT = 4_000
/** Of all texts of a conversation: a page of them has to be read and sent, whatever visitors write. */
export const MAX_CHARACTERS = 100_000

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
  .transform((value): Message[] =>
    Array.isArray(value)
      ? lastWithin(value.slice(-MAX_MESSAGES).flatMap(readMessage), MAX_CHARACTERS, ({ text }) => text.length)
      : [],
  )

/** The last items that are no larger together. */
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
