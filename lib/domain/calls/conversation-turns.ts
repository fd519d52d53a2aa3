import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { insertOnce } from '../../db/upsert.js'
import { digestOf, objectIdOf } from '../digest.js'
import { believedTime, type ConversationInput } from './conversation-input.js'

/**
 * What was said at one turn of a call, in a document of its own: appending is one insert, which its id makes safe
 * to repeat, and a call of any length stays within what a document may hold.
 */
export const ConversationTurn = z.object({
  /** Derived from what makes it the same turn: see `turnIdOf`. */
  _id: z.instanceof(ObjectId),
  userId: z.instanceof(ObjectId),
  sessionId: z.string(),
  turnId: z.string().optional(),
  /** When it was by the voice agent's clock within reason, else when it arrived. */
  at: z.date(),
  userMessage: z.string().optional(),
  aiResponse: z.string().optional(),
  audioUrl: z.string().optional(),
  responseAudioUrl: z.string().optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  createdAt: z.date(),
})
export type ConversationTurn = z.infer<typeof ConversationTurn>

export const conversationTurns = collection<ConversationTurn>({
  name: 'conversationturns',
  schema: ConversationTurn,
  indexes: [
    // The turns of a call in their order, and all that a user has.
    { name: 'call_order', key: { userId: 1, sessionId: 1, at: 1, _id: 1 } },
  ],
})

/** A turn as a post has it, before it is known whose call it is. */
export interface NewTurn extends Omit<ConversationTurn, 'userId' | 'at'> {
  /** Where the post gives a time that can be right. */
  at?: Date | undefined
}

/** The turn that a post is; one with neither words nor audio is none, and only says how far its call is. */
export function turnOf(input: ConversationInput, now: Date): NewTurn | undefined {
  const { sessionId, turnId, userMessage, aiResponse, audioUrl, responseAudioUrl, metadata } = input
  if ([userMessage, aiResponse, audioUrl, responseAudioUrl].every(said => said === undefined))
    return undefined
  return {
    _id: turnIdOf(input),
    sessionId,
    ...(turnId !== undefined && { turnId }),
    ...(userMessage !== undefined && { userMessage }),
    ...(aiResponse !== undefined && { aiResponse }),
    ...(audioUrl !== undefined && { audioUrl }),
    ...(responseAudioUrl !== undefined && { responseAudioUrl }),
    ...(metadata !== undefined && { metadata }),
    at: believedTime(input, now),
    createdAt: now,
  }
}

/**
 * What makes two posts the same turn of a call: the client's id of it, else all of its content. The duration so far is
 * part of that: a "yes" that is said twice comes at two lengths of the call.
 */
function turnIdOf(input: ConversationInput): ObjectId {
  const { sessionId, turnId, at, duration, userMessage, aiResponse, audioUrl, responseAudioUrl } = input
  const content = [at, duration, userMessage, aiResponse, audioUrl, responseAudioUrl, input.metadata]
  const identity = turnId === undefined ? ['content', ...content] : ['id', turnId]
  return objectIdOf(digestOf([sessionId, ...identity]))
}

/**
 * Appends a turn to its call, once. Returns it as it is stored: of a repeated one the time may be an earlier one.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function appendTurn(turn: ConversationTurn): Promise<ConversationTurn> {
  const stored = await insertOnce(await conversationTurns.open(), turn)
  // One of an account that was erased may be there under the same names until it is gone.
  return stored.userId.equals(turn.userId) ? stored : turn
}
