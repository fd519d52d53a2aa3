import type { Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { after, CursorQuery, cursorPage, newestFirst, sizedPage } from '../../db/keyset.js'
import { createdWithin } from '../../db/listing.js'
import { AppError } from '../../errors.js'
import { EndMoment, Moment } from '../moment.js'
import { QueryPhone } from '../phones/phone.js'
import { CallerNumber } from './conversation-input.js'
import { ConversationMetrics, summariseMetrics } from './conversation-metrics.js'
import { oldTurnOf, PublicTurn, readTurnMetrics, readTurns } from './conversation-transcript.js'
import {
  type Conversation,
  ConversationStatus,
  conversations,
  PublicConversation,
  toPublicConversation,
} from './conversations.js'

/** How many calls of an export are read at a time. */
const EXPORT_BATCH = 500

/** The query of a history; dates without a time are whole UTC days, the last one included. */
export const ConversationFilter = CursorQuery.extend({
  limit: z.coerce.number().int().min(1).max(200).default(10),
  status: ConversationStatus.optional(),
  from: Moment.optional(),
  to: EndMoment.optional(),
  /** The caller's. */
  phoneNumber: QueryPhone.pipe(CallerNumber).optional(),
})
export type ConversationFilter = z.infer<typeof ConversationFilter>

export const ConversationPage = cursorPage(PublicConversation)
export type ConversationPage = z.infer<typeof ConversationPage>

/**
 * A page of a user's calls, newest first, without their turns; it ends early where what was said last is long.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function listConversations(
  userId: ObjectId,
  filter: ConversationFilter,
): Promise<ConversationPage> {
  const { limit, cursor, status, from, to, phoneNumber } = filter
  const matching: Filter<Conversation> = {
    userId,
    ...(status && { status }),
    ...(phoneNumber !== undefined && { phoneNumber }),
    ...createdWithin(from, to),
  }
  const found = await (await conversations.open())
    .find(cursor ? { $and: [matching, after<Conversation>(cursor)] } : matching)
    .sort(newestFirst)
    .limit(limit + 1)
    .toArray()
  return sizedPage(found, limit, toPublicConversation)
}

/** Which turns of a call: as many as fit one answer, from where the answer before ended. */
export const TurnsQuery = CursorQuery.extend({
  limit: z.coerce.number().int().min(1).max(1_000).default(500),
})
export type TurnsQuery = z.infer<typeof TurnsQuery>

/** A call with its turns in order, those of one page where there are many. `metrics` are of all of them. */
export const WholeConversation = PublicConversation.extend({
  metrics: ConversationMetrics,
  turns: z.array(PublicTurn),
  nextCursor: z.string().nullable(),
})
export type WholeConversation = z.infer<typeof WholeConversation>

/**
 * A call of a user with its turns. Those of a call of the old system are the one that it kept.
 *
 * @throws {AppError} `not_found` for every other call.
 */
export async function getConversation(
  userId: ObjectId,
  sessionId: string,
  query: TurnsQuery,
): Promise<WholeConversation> {
  const which = { userId, sessionId }
  const [call, { turns, nextCursor }] = await Promise.all([
    (await conversations.open()).findOne(which),
    readTurns(which, query),
  ])
  if (!call) throw new AppError('not_found')
  const isWhole = query.cursor === undefined && nextCursor === null
  const old = oldTurnOf(call)
  const measured = isWhole ? turns.map(({ metadata }) => metadata) : await readTurnMetrics(which)
  return {
    ...toPublicConversation(call),
    metrics: summariseMetrics([...old.map(({ metadata }) => metadata), ...measured]),
    turns: query.cursor === undefined ? [...old, ...turns] : turns,
    nextCursor,
  }
}

/** A call in an export, with where it came in, and the turn that one of the old system keeps in itself. */
export const ExportedConversation = PublicConversation.extend({
  calledNumber: z.string().nullable(),
  turns: z.array(PublicTurn).optional(),
})
export type ExportedConversation = z.infer<typeof ExportedConversation>

/** Every call of a user, newest first, as they are read. */
export async function* streamConversations(userId: ObjectId): AsyncGenerator<ExportedConversation> {
  const found = (await conversations.open()).find({ userId }).sort(newestFirst).batchSize(EXPORT_BATCH)
  for await (const call of found) {
    const turns = oldTurnOf(call)
    const calledNumber = call.calledNumber ?? null
    yield { ...toPublicConversation(call), calledNumber, ...(turns.length > 0 && { turns }) }
  }
}
