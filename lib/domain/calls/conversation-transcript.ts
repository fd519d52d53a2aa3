import type { Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { cursorOf, type Position } from '../../db/keyset.js'
import { jsonBytes, MAX_PAGE_BYTES } from '../../db/page-size.js'
import { TURN_METRICS } from './conversation-metrics.js'
import { type ConversationTurn, conversationTurns } from './conversation-turns.js'
import type { Conversation } from './conversations.js'

/** A turn as the owner of its call sees it. */
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
    bytes += jsonBytes(shown)
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
  if (call.latestTurn || !(userMessage || aiResponse || audioUrl || responseAudioUrl)) return []
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
