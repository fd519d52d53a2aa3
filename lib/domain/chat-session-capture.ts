import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { despiteCut } from '../db/despite-cut.js'
import { retryUpsert } from '../db/upsert.js'
import { invalidField } from '../errors.js'
import { normaliseBhk } from './bhk.js'
import type { ChatSessionInput } from './captured-input.js'
import { type ChatSession, chatSessions, PublicChatSession, toPublicSession } from './chat-sessions.js'
import { MAX_CHARACTERS, MAX_MESSAGES, MAX_TEXT, type Message } from './conversation.js'
import { digestOf } from './digest.js'
import { readPhone } from './phone.js'
import type { Project } from './widget-configs.js'

/** What a widget is answered: the chat, with the messages that it sent just now. */
export const ChatSessionAnswer = z.object({ session: PublicChatSession })

/**
 * Stores a chat; the same `sessionId` again appends the messages that are new, each once. Without an id the
 * messages themselves tell which chat it is. The answer repeats what was sent and no more: a session id is not
 * made to keep a conversation secret.
 *
 * @throws {AppError} `invalid_request` for a chat without a message, `unavailable` while the database is away.
 */
export async function saveChatSession(
  input: ChatSessionInput,
  project: Project,
  now: Date,
): Promise<{ session: PublicChatSession; isNew: boolean }> {
  const conversation = identified(input.conversation)
  if (conversation.length === 0) throw invalidField('conversation', 'must have at least one message')

  const { microsite = project.projectId, metadata } = input
  const { projectId, ownerId } = project
  const { phone } = readPhone(input.phone, [metadata.phoneCountryCode, project.phoneCountry])
  const isBhkGiven = input.bhk !== undefined || input.bhkType !== undefined
  const digest = chatDigest(project, microsite, input.sessionId ?? conversation.map(message => message.id))
  const sessionId = input.sessionId ?? digest.toString('base64url')
  const fresh: Omit<ChatSession, 'conversation' | 'updatedAt'> = {
    _id: new ObjectId(digest.subarray(0, 12)),
    sessionId,
    microsite,
    projectId,
    ...(ownerId && { ownerId }),
    ...(phone !== undefined && { phone }),
    ...(isBhkGiven && { bhkType: normaliseBhk(input.bhk, input.bhkType).bhkType }),
    metadata,
    createdAt: now,
  }
  const open = await chatSessions.open()
  const { _id } = fresh
  const { upsertedCount } = await retryUpsert(() =>
    despiteCut(() => open.updateOne({ _id }, appending(fresh, conversation, now), { upsert: true })),
  )
  const stored = { ...fresh, conversation, updatedAt: now }
  return { session: toPublicSession(stored), isNew: upsertedCount === 1 }
}

/**
 * One write: what is stored stays, what is missing of the visitor is filled in, and of the messages only those that
 * are not there yet are appended. Whose a chat is was said when it began: nobody gets a chat that is nobody's by
 * going on with it. Literals, since a visitor's text may begin with a dollar.
 */
function appending(
  fresh: Omit<ChatSession, 'conversation' | 'updatedAt'>,
  conversation: readonly Message[],
  now: Date,
): Record<string, unknown>[] {
  const stored = { $ifNull: ['$conversation', []] }
  const storedIds = { $ifNull: ['$conversation.id', []] }
  const unknown = {
    $filter: {
      input: { $literal: conversation },
      as: 'message',
      cond: { $not: { $in: ['$$message.id', storedIds] } },
    },
  }
  // Of any length so few have no more than that.
  const few = MAX_CHARACTERS / MAX_TEXT
  // A message of the old store may have no text.
  const length = { $strLenCP: { $ifNull: ['$$one.text', ''] } }
  const characters = { $sum: { $map: { input: '$conversation', as: 'one', in: length } } }
  const kept = { $cond: [{ $gt: [characters, MAX_CHARACTERS] }, -few, -MAX_MESSAGES] }
  const { ownerId: _owner, ...others } = fresh
  const [all, visitors] = [{ $literal: fresh }, { $literal: others }]
  const isNew = { $eq: [{ $ifNull: ['$createdAt', null] }, null] }
  return [
    { $set: { conversation: { $concatArrays: [stored, unknown] }, updatedAt: now } },
    { $set: { conversation: { $slice: ['$conversation', kept] } } },
    { $replaceWith: { $mergeObjects: [{ $cond: [isNew, all, visitors] }, '$$ROOT'] } },
  ]
}

/**
 * The messages by their ids, each once. One without an id is known by what it says and when, and by how often that
 * was said before it: so the whole chat sent again is the same messages, and a second "yes" is another one.
 */
function identified(messages: readonly Message[]): (Message & { id: string })[] {
  const known = new Map<string, Message & { id: string }>()
  const repeats = new Map<string, number>()
  for (const message of messages) {
    const content = JSON.stringify([message.type, message.text, message.timestamp])
    const before = repeats.get(content) ?? 0
    repeats.set(content, before + 1)
    const id = message.id ?? digestOf([content, before]).toString('base64url').slice(0, 22)
    if (!known.has(id)) known.set(id, { ...message, id })
  }
  return [...known.values()]
}

/** Of a project: widgets count their chats, and who began one on the microsite of others would read what they say. */
function chatDigest({ projectId }: Project, microsite: string, identity: string | readonly string[]): Buffer {
  return digestOf(['chat', projectId, microsite, identity])
}
