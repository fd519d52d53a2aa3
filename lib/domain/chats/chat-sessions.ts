import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { insertOnce } from '../../db/upsert.js'
import { BhkType } from '../leads/bhk.js'
import { namedFieldsOf } from '../named-fields.js'
import { Message, PublicMessage, toPublicMessages } from './messages.js'

/** One chat with a visitor. The one that a lead came out of has the session id `lead:<lead id>`. */
export const ChatSession = z.object({
  _id: z.instanceof(ObjectId),
  /** A chat that the old system stored has none. */
  sessionId: z.string().optional(),
  microsite: z.string(),
  projectId: z.string(),
  ownerId: z.instanceof(ObjectId).optional(),
  leadId: z.instanceof(ObjectId).optional(),
  phone: z.string().optional(),
  /** What was sent as a phone and is none, as it came. */
  phoneRaw: z.string().optional(),
  bhkType: BhkType.optional(),
  conversation: z.array(Message),
  metadata: z.record(z.string(), z.unknown()),
  /** Counts the changes, so that nobody writes over one that he has not seen. */
  revision: z.number().int().optional(),
  /** The migration that brought it from the old store. */
  migration: z.number().int().optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type ChatSession = z.infer<typeof ChatSession>

export const chatSessions = collection<ChatSession>({
  name: 'chatsessions',
  schema: ChatSession,
  indexes: [
    // The lists: of everything, of a microsite, of an owner.
    { name: 'newest', key: { createdAt: -1, _id: -1 } },
    { name: 'microsite_newest', key: { microsite: 1, createdAt: -1, _id: -1 } },
    { name: 'owner_newest', key: { ownerId: 1, createdAt: -1, _id: -1 } },
    // The chat behind a lead, and all chats of a person.
    { name: 'lead_newest', key: { leadId: 1, createdAt: -1, _id: -1 } },
    { name: 'person_newest', key: { phone: 1, createdAt: -1, _id: -1 } },
    // Those of a project, when it changes hands.
    { name: 'projectId', key: { projectId: 1 } },
    // One chat, once.
    {
      name: 'project_session',
      key: { microsite: 1, sessionId: 1, projectId: 1 },
      unique: true,
      partialFilterExpression: { sessionId: { $exists: true } },
    },
  ],
})

/** A chat as it leaves the API, under both names of its id. */
export const PublicChatSession = ChatSession.omit({
  _id: true,
  ownerId: true,
  leadId: true,
  revision: true,
  migration: true,
  conversation: true,
}).extend({
  id: z.string(),
  _id: z.string(),
  /** Its own, or that of its document. */
  sessionId: z.string(),
  leadId: z.string().optional(),
  conversation: z.array(PublicMessage),
  /** It has more than an answer could hold. In a list: more to show by itself. */
  truncated: z.literal(true).optional(),
})
export type PublicChatSession = z.infer<typeof PublicChatSession>

const publicFieldsOf = namedFieldsOf(PublicChatSession)

/** A chat for who may see it. */
export function toPublicSession(session: ChatSession): PublicChatSession {
  const id = session._id.toHexString()
  const leadId = session.leadId?.toHexString()
  const conversation = toPublicMessages(session.conversation)
  return {
    ...publicFieldsOf(session),
    id,
    _id: id,
    sessionId: session.sessionId ?? id,
    ...(leadId && { leadId }),
    conversation,
  }
}

/**
 * Stores the chat that a lead came out of, unless it is there already: its id is the lead's, so a retry changes
 * nothing. A lead without messages has no chat.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function saveLeadSession(lead: Omit<ChatSession, 'sessionId' | 'leadId'>): Promise<void> {
  if (lead.conversation.length === 0) return
  const { _id, microsite, projectId, ownerId, phone, bhkType, conversation, metadata, createdAt } = lead
  const session: ChatSession = {
    _id,
    sessionId: `lead:${_id}`,
    microsite,
    projectId,
    ...(ownerId && { ownerId }),
    leadId: _id,
    ...(phone && { phone }),
    bhkType,
    conversation,
    metadata,
    createdAt,
    updatedAt: createdAt,
  }
  await insertOnce(await chatSessions.open(), session)
}
