import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'

/** How far a call has come. */
export const ConversationStatus = z.enum(['processing', 'completed', 'failed'])
export type ConversationStatus = z.infer<typeof ConversationStatus>

/** One call. What was said in it are its turns (`conversation-turns`), but for a call of the old system. */
export const Conversation = z.object({
  _id: z.instanceof(ObjectId),
  userId: z.instanceof(ObjectId),
  sessionId: z.string(),
  /** The telephony's own id of the call. Null as well as missing in documents of the old system. */
  callSid: z.string().nullish(),
  /** The caller's: E.164, or as it came where it is no such number. */
  phoneNumber: z.string().nullish(),
  /** Where it came in: tells a later post of the call when the number is another user's by then. */
  calledNumber: z.string().optional(),
  status: ConversationStatus,
  /** Missing, like `duration`, in documents of the old system. */
  startedAt: z.date().optional(),
  /** Of a call that is over. */
  endedAt: z.date().optional(),
  /** Whole seconds, the most that was reported. */
  duration: z.number().nullish(),
  /** What was said last; in a document of the old system, all that was kept, beside the next three. */
  userMessage: z.string().nullish(),
  aiResponse: z.string().nullish(),
  audioUrl: z.string().nullish(),
  responseAudioUrl: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
  /** Which turn `userMessage` and `aiResponse` are of: missing in documents of the old system. */
  latestTurn: z.object({ at: z.date(), id: z.instanceof(ObjectId) }).optional(),
  /** What a call that is over was counted as in the usage of its period. */
  metered: z
    .object({
      periodId: z.string(),
      calls: z.union([z.literal(0), z.literal(1)]),
      seconds: z.number().int(),
    })
    .optional(),
  /** On a call that is over and moved since it was metered, if it was. */
  meteringPending: z.literal(true).optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type Conversation = z.infer<typeof Conversation>

/** Of texts only: null is no id. */
const isText = { $gt: '' }

export const conversations = collection<Conversation>({
  name: 'conversations',
  schema: Conversation,
  indexes: [
    // One call, once, by either of its ids.
    {
      name: 'sessionId',
      key: { sessionId: 1 },
      unique: true,
      partialFilterExpression: { sessionId: isText },
    },
    { name: 'callSid', key: { callSid: 1 }, unique: true, partialFilterExpression: { callSid: isText } },
    // The histories: of a user, of those in one state, of one caller.
    { name: 'user_newest', key: { userId: 1, createdAt: -1, _id: -1 } },
    { name: 'user_status_newest', key: { userId: 1, status: 1, createdAt: -1, _id: -1 } },
    { name: 'user_caller_newest', key: { userId: 1, phoneNumber: 1, createdAt: -1, _id: -1 } },
    // A caller's, whoever was called.
    { name: 'caller_newest', key: { phoneNumber: 1, createdAt: -1, _id: -1 } },
    // What a crash left unmetered.
    {
      name: 'meteringPending',
      key: { meteringPending: 1, updatedAt: 1 },
      partialFilterExpression: { meteringPending: true },
    },
  ],
})

/** When a call began, as far as is known. */
export function startOf({ startedAt, createdAt }: Pick<Conversation, 'startedAt' | 'createdAt'>): Date {
  return startedAt ?? createdAt
}

/** A call as its owner sees it in a list, under both names of its id; null is what is not known. */
export const PublicConversation = z.object({
  id: z.string(),
  _id: z.string(),
  sessionId: z.string(),
  callSid: z.string().nullable(),
  phoneNumber: z.string().nullable(),
  status: ConversationStatus,
  startedAt: z.date(),
  endedAt: z.date().nullable(),
  duration: z.number().nullable(),
  userMessage: z.string().nullable(),
  aiResponse: z.string().nullable(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type PublicConversation = z.infer<typeof PublicConversation>

export function toPublicConversation(call: Conversation): PublicConversation {
  const id = call._id.toHexString()
  return {
    id,
    _id: id,
    sessionId: call.sessionId,
    callSid: call.callSid ?? null,
    phoneNumber: call.phoneNumber ?? null,
    status: call.status,
    startedAt: startOf(call),
    endedAt: call.endedAt ?? null,
    duration: call.duration ?? null,
    userMessage: call.userMessage ?? null,
    aiResponse: call.aiResponse ?? null,
    createdAt: call.createdAt,
    updatedAt: call.updatedAt ?? call.createdAt,
  }
}
