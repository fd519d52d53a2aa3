import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { isDuplicateKey } from '../../db/errors.js'
import { unlessTaken } from '../../db/upsert.js'
import { AppError } from '../../errors.js'
import { userProfiles } from '../accounts/user-profiles.js'
import { users } from '../accounts/users.js'
import { type DataScope, oneOf } from '../data-scope.js'
import { namedFieldsOf } from '../named-fields.js'
import { findAdmittedUser } from './admitted-calls.js'
import { changesBy, latestBy, newCall } from './conversation-changes.js'
import type { ConversationInput } from './conversation-input.js'
import { meterConversation } from './conversation-metering.js'
import { appendTurn, type NewTurn, turnOf } from './conversation-turns.js'
import {
  type Conversation,
  conversations,
  PublicConversation,
  toPublicConversation,
} from './conversations.js'

/** What the voice agent is answered: how the call stands, and nothing that was said in it. */
export const SavedConversation = PublicConversation.pick({
  id: true,
  _id: true,
  sessionId: true,
  status: true,
  startedAt: true,
  endedAt: true,
  duration: true,
  createdAt: true,
}).extend({ userId: z.string() })
export type SavedConversation = z.infer<typeof SavedConversation>

/**
 * Saves what a post says of a call, once and whatever the order: the same posts end in the same document. Status
 * only moves forward, a completed call over one that was said to have failed; the duration is the most that was
 * reported; and what was said last is that of the latest turn. It is one write on the call, then its turn and its
 * metering side by side: the call goes first, since it decides whose it is. Each of them may be repeated, so the
 * client's retry mends a crash. Nothing is refused for usage: the call happened.
 *
 * @param scope the users whose calls the caller may save.
 * @param background where work goes that may follow the answer.
 * @throws {AppError} `not_found` for a user or number that is not there or not in scope, `conflict` for a session
 *   or `callSid` of another call, `unavailable` while the database is away.
 */
export async function saveConversation(
  input: ConversationInput,
  scope: DataScope,
  now: Date,
  background?: (task: Promise<unknown>) => void,
): Promise<{ conversation: SavedConversation; isNew: boolean }> {
  const turn = turnOf(input, now)
  const { call, isNew } = await writeCall(input, turn, scope, now)
  const rest = [turn && saveTurn(turn, call, now), meterConversation(call, now, background)]
  // Both to their end: what is under way when a failure is answered, a frozen instance would hold on to.
  for (const done of await Promise.allSettled(rest)) if (done.status === 'rejected') throw done.reason
  return { conversation: toSaved(call), isNew }
}

/**
 * The call after this post. Most posts are of a call that is there already, found by who it is said to be of: its
 * user, or the number it came in on, whoever has that by now. Only a new call costs the search for its user.
 */
async function writeCall(
  input: ConversationInput,
  turn: NewTurn | undefined,
  scope: DataScope,
  now: Date,
): Promise<{ call: Conversation; isNew: boolean }> {
  const { sessionId, to } = input
  const given = input.userId === undefined ? undefined : new ObjectId(input.userId)
  if (given && !isInScope(given, scope)) throw unknownUser()
  const known = given
    ? { userId: given }
    : { calledNumber: to, ...(scope.ownerIds && { userId: oneOf(scope.ownerIds) }) }
  // Who may not save everybody's is not believed that a user's call came in on just any number: those who post the calls
  // of that number's user would find it by it, and go on with it.
  const believed = given && scope.ownerIds ? { ...input, to: undefined } : input
  const moved = await moveCall({ sessionId, ...known }, believed, turn, now)
  if (moved) return { call: moved, isNew: false }

  const userId = await findUserId(given, input)
  if (!userId || !isInScope(userId, scope)) throw unknownUser()
  const call = newCall(believed, turn, userId, now)
  const calls = await conversations.openGuarded()
  if (await unlessTaken(() => calls.insertOne(call))) return { call, isNew: true }
  // Another post of the call was first; or it is another call, and whose is nobody's business here.
  const met = await moveCall({ sessionId, userId }, believed, turn, now)
  if (!met) throw otherCall()
  return { call: met, isNew: false }
}

/** Moves a call on by a post; null where there is none like that. */
async function moveCall(
  which: Filter<Conversation>,
  input: ConversationInput,
  turn: NewTurn | undefined,
  now: Date,
): Promise<Conversation | null> {
  const calls = await conversations.openGuarded()
  try {
    return await calls.findOneAndUpdate(which, [{ $set: changesBy(input, turn, now) }], {
      returnDocument: 'after',
    })
  } catch (error) {
    // The session is this call's, so it is the callSid that is not.
    throw isDuplicateKey(error) ? otherCall() : error
  }
}

/**
 * Appends the turn. One that names no time of its own is as late as it was when it came first, which only its
 * stored document knows: what it says is the latest is written after that.
 */
async function saveTurn(turn: NewTurn, { _id, userId }: Conversation, now: Date): Promise<void> {
  const stored = await appendTurn({ ...turn, userId, at: turn.at ?? now })
  const latest = turn.at ? {} : latestBy(turn, stored.at)
  if (Object.keys(latest).length > 0)
    await (await conversations.open()).updateOne({ _id, userId }, [{ $set: latest }])
}

/** Whose call it is: whom it was admitted to, else who has the number. One that is erased is nobody's. */
async function findUserId(
  given: ObjectId | undefined,
  { sessionId, to }: ConversationInput,
): Promise<ObjectId | undefined> {
  if (given) return findUnerased(given)
  if (to === undefined) return undefined
  const profiles = await userProfiles.open()
  const [admitted, holder] = await Promise.all([
    findAdmittedUser(sessionId, to),
    profiles.findOne({ assignedPhoneNumber: to }, { projection: { userId: 1 } }),
  ])
  return !admitted || holder?.userId.equals(admitted) ? holder?.userId : findUnerased(admitted)
}

async function findUnerased(_id: ObjectId): Promise<ObjectId | undefined> {
  const isThere = { _id, status: { $ne: 'deleted' as const } }
  return (await (await users.open()).findOne(isThere, { projection: { _id: 1 } }))?._id
}

function isInScope(userId: ObjectId, { ownerIds }: DataScope): boolean {
  return ownerIds === undefined || ownerIds.some(ownerId => ownerId.equals(userId))
}

function unknownUser(): AppError {
  return new AppError('not_found', 'There is no such user, or no user with this number.')
}

function otherCall(): AppError {
  return new AppError('conflict', 'The sessionId or the callSid is that of another call.')
}

const savedFieldsOf = namedFieldsOf(SavedConversation)

function toSaved(call: Conversation): SavedConversation {
  return { ...savedFieldsOf(toPublicConversation(call)), userId: call.userId.toHexString() }
}
