import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { newestFirst } from '../../db/keyset.js'
import { createdWithin, listNewestFirst, PageQuery, pageOf } from '../../db/listing.js'
import { AppError } from '../../errors.js'
import { type DataScope, scopeFilter } from '../data-scope.js'
import { idOf, readId } from '../ids.js'
import { fitToAnswer, fitToPage } from '../list-size.js'
import { EndMoment, Moment } from '../moment.js'
import { QueryPhone, readPhone } from '../phones/phone.js'
import { Microsite } from '../widgets/microsite.js'
import { type ChatSession, chatSessions, PublicChatSession, toPublicSession } from './chat-sessions.js'

/** How many chats of an export are read at a time. */
const EXPORT_BATCH = 500

/** The query of a list of chats. */
export const ChatSessionFilter = PageQuery.extend({
  microsite: Microsite.optional(),
  leadId: idOf('lead')
    .transform(id => new ObjectId(id))
    .optional(),
  phone: QueryPhone.pipe(z.string().trim().min(3).max(64)).optional(),
  startDate: Moment.optional(),
  endDate: EndMoment.optional(),
})
export type ChatSessionFilter = z.infer<typeof ChatSessionFilter>

export const ChatSessionPage = pageOf(PublicChatSession)
export type ChatSessionPage = z.infer<typeof ChatSessionPage>

/**
 * A page of the chats that the caller may see, newest first.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function listChatSessions(
  scope: DataScope,
  filter: ChatSessionFilter,
): Promise<ChatSessionPage> {
  const matching = { $and: [scopeFilter<ChatSession>(scope), queryOf(filter)] }
  const found = await listNewestFirst(await chatSessions.open(), matching, filter)
  return { ...found, items: fitToPage(found.items.map(toPublicSession)) }
}

/** Every chat of a scope, newest first, as they are read: however many there are, few are in memory. */
export async function* streamChatSessions(scope: DataScope): AsyncGenerator<PublicChatSession> {
  const found = (await chatSessions.open())
    .find(scopeFilter<ChatSession>(scope))
    .sort(newestFirst)
    .batchSize(EXPORT_BATCH)
  for await (const session of found) yield toPublicSession(session)
}

/**
 * A chat that the caller may see.
 *
 * @throws {AppError} `not_found` for every other one.
 */
export async function getChatSession(scope: DataScope, id: string): Promise<PublicChatSession> {
  const _id = readId(id)
  const session =
    _id && (await (await chatSessions.open()).findOne({ ...scopeFilter<ChatSession>(scope), _id }))
  if (!session) throw new AppError('not_found')
  return fitToAnswer(toPublicSession(session))
}

function queryOf({ microsite, leadId, phone, startDate, endDate }: ChatSessionFilter): Filter<ChatSession> {
  const number = readPhone(phone, [])
  return {
    ...(microsite && { microsite }),
    ...(leadId && { leadId }),
    ...(phone && { phone: number.phone ?? phone }),
    ...createdWithin(startDate, endDate),
  }
}
