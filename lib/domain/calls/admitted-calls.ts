import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { bulkUpsert, retryUpsert } from '../../db/upsert.js'
import { digestOf } from '../digest.js'
import { DAY_MS } from '../durations.js'
import { type Conversation, conversations } from './conversations.js'

/** A call goes on for hours, and what was posted of it in vain comes again. */
const KEPT_MS = DAY_MS

/**
 * Whom a call was admitted to that came in on a number: its posts may name the number alone, and that may be another
 * user's by the first of them. It outlives its user's erasure, so that what is left of the call is nobody's; a call
 * that was not admitted gets one then.
 */
export const AdmittedCall = z.object({
  /** Hash of the session and the called number. */
  _id: z.string(),
  userId: z.instanceof(ObjectId),
  expiresAt: z.date(),
})
export type AdmittedCall = z.infer<typeof AdmittedCall>

export const admittedCalls = collection<AdmittedCall>({
  name: 'admittedcalls',
  schema: AdmittedCall,
  indexes: [{ name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 }],
})

/** Whom a call was admitted to; undefined where it was not, or not by its number, or more than a day ago. */
export async function findAdmittedUser(
  sessionId: string,
  calledNumber: string,
): Promise<ObjectId | undefined> {
  return (await (await admittedCalls.open()).findOne({ _id: idOf(sessionId, calledNumber) }))?.userId
}

/** Remembers it, of several users the first one. */
export async function rememberAdmitted(
  sessionId: string,
  calledNumber: string,
  userId: ObjectId,
  now: Date,
): Promise<void> {
  const admitted = await admittedCalls.open()
  const { filter, update } = admission(sessionId, calledNumber, userId, now)
  await retryUpsert(() => admitted.updateOne(filter, update, { upsert: true }))
}

/**
 * Deletes the calls of a user, for its erasure. Those that may still go on are remembered first, whether they were
 * admitted or not; one that is stored meanwhile stays for the next time. Returns how many were deleted.
 */
export async function eraseCallsOf(userId: ObjectId, now: Date): Promise<number> {
  const calls = await conversations.open()
  const recently = { $gte: new Date(now.getTime() - KEPT_MS) }
  const recent = await calls
    .find({ userId, createdAt: recently })
    .project<Pick<Conversation, '_id' | 'sessionId' | 'calledNumber'>>({ sessionId: 1, calledNumber: 1 })
    .toArray()
  const upserts = recent.flatMap(({ sessionId, calledNumber }) =>
    calledNumber === undefined ? [] : [admission(sessionId, calledNumber, userId, now)],
  )
  await bulkUpsert(await admittedCalls.open(), upserts)
  const remembered = { _id: { $in: recent.map(({ _id }) => _id) } }
  const { deletedCount } = await calls.deleteMany({
    userId,
    $or: [remembered, { createdAt: { $not: recently } }],
  })
  return deletedCount
}

function admission(sessionId: string, calledNumber: string, userId: ObjectId, now: Date) {
  const first = { userId, expiresAt: new Date(now.getTime() + KEPT_MS) }
  return { filter: { _id: idOf(sessionId, calledNumber) }, update: { $setOnInsert: first } }
}

function idOf(sessionId: string, calledNumber: string): string {
  return digestOf([sessionId, calledNumber]).toString('base64url')
}
