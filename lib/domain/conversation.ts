import { z } from 'zod'

export const MAX_MESSAGES = 1_000
const MAX_TEXT = 4_000

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
 * message is left out, texts are cut at 4,000 characters and of more than 1,000 messages the last are kept.
 */
export const CapturedConversation = z
  .unknown()
  .optional()
  .transform((value): Message[] =>
    Array.isArray(value) ? value.slice(-MAX_MESSAGES).flatMap(readMessage) : [],
  )

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
  const time = readTime(timestamp)
  return [
    {
      ...(isId(id) && { id: String(id) }),
      type: typeof type === 'string' && type !== '' ? type.slice(0, 40) : 'system',
      text: text.slice(0, MAX_TEXT),
      ...(time !== undefined && { timestamp: time }),
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
