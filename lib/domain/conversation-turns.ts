import { createHash } from 'node:crypto'
import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { isDuplicateKey } from '../db/errors.js'
import { cursorOf, type Position } from '../db/keyset.js'
import type { ConversationInput } from './conversation-input.js'
import { TURN_METRICS } from './conversation-metrics.js'
import type { Conversation } from './conversations.js'

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

export const PublicTurn = z.object({
  id: z.string(),
  turnId: z.string().nullable(),
  at: z.date(),
  userMessage: z.string().nullable(),
  aiResponse: z.string().nullable(),
  audioUrl: z.string().nullable(),
  responseAudioUrl: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
})
export type PublicTurn = z.infer<typeof PublicTurn>

/** The order of a call's turns: total, whatever order they came in. */
const inOrder = { at: 1, _id: 1 } as const

/** What one answer holds of turns, in bytes of JSON: the platform sends no more than 4.5 MB. */
const MAX_PAGE_BYTES = 3_000_000

/** What was said, where anything was: a post with neither words nor audio only reports how far the call is. */
export function wordsOf(input: ConversationInput): Partial<ConversationTurn> | undefined {
  const { userMessage, aiResponse, audioUrl, responseAudioUrl, metadata } = input
  if (userMessage === undefined && aiResponse === undefined && !audioUrl && !responseAudioUrl)
    return undefined
  return {
    ...(userMessage !== undefined && { userMessage }),
    ...(aiResponse !== undefined && { aiResponse }),
    ...(audioUrl !== undefined && { audioUrl }),
    ...(responseAudioUrl !== undefined && { responseAudioUrl }),
    ...(metadata !== undefined && { metadata }),
  }
}

/**
 * What makes two posts the same turn of a call: the id that their client gave it, else all that they say of it. With
 * the duration so far: who says "yes" twice has said it at two lengths of the call.
 */
export function turnIdOf(input: ConversationInput): ObjectId {
  const { sessionId, turnId, at, duration } = input
  const identity = turnId === undefined ? ['content', at, duration, wordsOf(input)] : ['id', turnId]
  const digest = createHash('sha256')
    .update(JSON.stringify([sessionId, ...identity]))
    .digest()
  return new ObjectId(digest.subarray(0, 12))
}

/**
 * Appends a turn to its call, once. Returns it as it is stored: of a repeated one the time may be an earlier one.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function appendTurn(turn: ConversationTurn): Promise<ConversationTurn> {
  const turns = await conversationTurns.open()
  try {
    await turns.insertOne(turn)
    return turn
  } catch (error) {
    if (!isDuplicateKey(error)) throw error
  }
  return (await turns.findOne({ _id: turn._id, userId: turn.userId })) ?? turn
}

/** A page of a call's turns in their order; it ends early where they are long. */
export async function readTurns(
  call: Pick<ConversationTurn, 'userId' | 'sessionId'>,
  { limit, cursor }: { limit: number; cursor?: Position | undefined },
): Promise<{ turns: PublicTurn[]; nextCursor: string | null }> {
  const found = (await conversationTurns.open())
    .find({ ...call, ...(cursor && afterTurn(cursor)) })
    .sort(inOrder)
    .limit(limit + 1)
  const turns: PublicTurn[] = []
  let bytes = 0
  let last: Position | undefined
  for await (const turn of found) {
    const shown = toPublicTurn(turn)
    bytes += Buffer.byteLength(JSON.stringify(shown))
    if (last && (turns.length === limit || bytes > MAX_PAGE_BYTES))
      return { turns, nextCursor: cursorOf(last) }
    turns.push(shown)
    last = { createdAt: turn.at, id: turn._id }
  }
  return { turns, nextCursor: null }
}

/** What was measured of every turn of a call, and nothing else of them. */
export async function readTurnMetrics(
  call: Pick<ConversationTurn, 'userId' | 'sessionId'>,
): Promise<ConversationTurn['metadata'][]> {
  const projection = Object.fromEntries(TURN_METRICS.map(name => [`metadata.${name}`, 1]))
  const found = (await conversationTurns.open()).find({ ...call }, { projection })
  return found.map(({ metadata }) => metadata).toArray()
}

/** Every turn that a user has, call by call, as they are read. */
export async function* streamTurns(userId: ObjectId): AsyncGenerator<PublicTurn & { sessionId: string }> {
  const found = (await conversationTurns.open()).find({ userId }).sort({ sessionId: 1, ...inOrder })
  for await (const turn of found) yield { sessionId: turn.sessionId, ...toPublicTurn(turn) }
}

/** A call of the old system kept one turn, in itself. */
export function oldTurnOf(call: Conversation): PublicTurn[] {
  const { userMessage, aiResponse, audioUrl, responseAudioUrl, metadata } = call
  if (call.latestTurn || !(userMessage ?? aiResponse ?? audioUrl ?? responseAudioUrl)) return []
  const words = {
    ...(userMessage && { userMessage }),
    ...(aiResponse && { aiResponse }),
    ...(audioUrl && { audioUrl }),
    ...(responseAudioUrl && { responseAudioUrl }),
    ...(metadata && { metadata }),
  }
  return [toPublicTurn({ _id: call._id, at: call.createdAt, ...words })]
}

function afterTurn({ createdAt: at, id }: Position): Filter<ConversationTurn> {
  return { at: { $gte: at }, $or: [{ at: { $gt: at } }, { _id: { $gt: id } }] }
}

function toPublicTurn(turn: Omit<ConversationTurn, 'userId' | 'sessionId' | 'createdAt'>): PublicTurn {
  return {
    id: turn._id.toHexString(),
    turnId: turn.turnId ?? null,
    at: turn.at,
    userMessage: turn.userMessage ?? null,
    aiResponse: turn.aiResponse ?? null,
    audioUrl: turn.audioUrl ?? null,
    responseAudioUrl: turn.responseAudioUrl ?? null,
    metadata: turn.metadata ?? {},
  }
}
