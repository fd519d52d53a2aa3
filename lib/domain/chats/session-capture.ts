import type { Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { retryOnNetworkError } from '../../db/network-retry.js'
import { unlessTaken } from '../../db/upsert.js'
import { invalidField } from '../../errors.js'
import { digestOf, objectIdOf } from '../digest.js'
import { boundFreeForm, type FreeForm } from '../free-form.js'
import { normaliseBhk } from '../leads/bhk.js'
import type { ChatSessionInput } from '../leads/captured-input.js'
import { readPhone } from '../phones/phone.js'
import type { Project } from '../widgets/widget-configs.js'
import { type ChatSession, chatSessions, PublicChatSession, toPublicSession } from './chat-sessions.js'
import { mergeMessages } from './message-merge.js'
import { type IdentifiedMessage, lastKept } from './messages.js'

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
  const { conversation } = input
  if (conversation.length === 0) throw invalidField('conversation', 'must have at least one message')

  const { microsite = project.projectId, metadata } = input
  const { projectId, ownerId } = project
  const phone = readPhone(input.phone, [metadata.phoneCountryCode, project.phoneCountry])
  const isBhkGiven = input.bhk !== undefined || input.bhkType !== undefined
  const digest = chatDigest(project, microsite, input.sessionId ?? conversation)
  const sent: SentChat = {
    _id: objectIdOf(digest),
    sessionId: input.sessionId ?? digest.toString('base64url'),
    microsite,
    projectId,
    ...(ownerId && { ownerId }),
    ...phone,
    ...(isBhkGiven && { bhkType: normaliseBhk(input.bhk, input.bhkType).bhkType }),
    conversation,
    metadata,
    createdAt: now,
    updatedAt: now,
  }
  const { _id, isNew } = await store(sent)
  return { session: toPublicSession({ ...sent, _id }), isNew }
}

type SentChat = ChatSession & { conversation: IdentifiedMessage[] }

/**
 * Begins a chat or goes on with it: read and written back, so that one rule says what is kept of what is sent and of
 * what is stored. Of several at once one gets through each time round, and the others see what it made of the chat.
 */
async function store(sent: SentChat): Promise<{ _id: ObjectId; isNew: boolean }> {
  const { microsite, sessionId, projectId } = sent
  const open = await chatSessions.open()
  for (;;) {
    // Not by its `_id`: one that was brought from the old store has another.
    const stored = await open.findOne({ microsite, sessionId, projectId })
    if (stored) {
      if (await goOn(stored, sent)) return { _id: stored._id, isNew: false }
    } else if (await unlessTaken(() => retryOnNetworkError(() => open.insertOne(sent))))
      return { _id: sent._id, isNew: true }
  }
}

/**
 * Appends to a stored chat and fills in what is missing of the visitor. Returns false, and changes nothing, where the
 * chat changed since it was read. The owner was set when the chat began: nobody becomes the owner of a chat without one
 * by continuing it.
 */
async function goOn(stored: ChatSession, sent: SentChat): Promise<boolean> {
  const { conversation, ownerId: _owner, updatedAt, ...visitor } = sent
  const missing = Object.entries(visitor).filter(([field]) => !(field in stored))
  const unchanged = { _id: stored._id, revision: stored.revision ?? null } as Filter<ChatSession>
  const changes = {
    ...Object.fromEntries(missing),
    conversation: lastKept(mergeMessages(stored.conversation, conversation)),
    metadata: filledIn(stored.metadata, sent.metadata),
    updatedAt,
  }
  const open = await chatSessions.open()
  const { matchedCount } = await retryOnNetworkError(() =>
    open.updateOne(unchanged, { $set: changes, $inc: { revision: 1 } }),
  )
  return matchedCount === 1
}

/** What is known, with what only the later post says; without it where both are more than one post may say. */
function filledIn(known: FreeForm, later: FreeForm): FreeForm {
  const both = { ...later, ...known }
  return boundFreeForm(both).cut ? known : both
}

/**
 * What makes two posts the same chat: the widget's id of it, which has to be unique among all its visitors, else the
 * ids and times of its messages. All within a project: else whoever begins a chat on the microsite of others could read
 * what their visitors say.
 */
function chatDigest(
  { projectId }: Project,
  microsite: string,
  identity: string | readonly IdentifiedMessage[],
): Buffer {
  const known = typeof identity === 'string' ? identity : identity.map(({ id, timestamp }) => [id, timestamp])
  return digestOf(['chat', projectId, microsite, known])
}
