import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { retryUpsert } from '../../db/upsert.js'
import { digestOf } from '../digest.js'
import { DAY_MS } from '../durations.js'

/** A call goes on for hours, and what was posted of it in vain comes again. */
const KEPT_MS = DAY_MS

/**
 * Whom a call was admitted to that came in on a number: its posts may name the number alone, and that may be another
 * user's by the first of them. It outlives its user's erasure, so that what is left of the call is nobody's.
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
  const first = { userId, expiresAt: new Date(now.getTime() + KEPT_MS) }
  const _id = idOf(sessionId, calledNumber)
  await retryUpsert(() => admitted.updateOne({ _id }, { $setOnInsert: first }, { upsert: true }))
}

function idOf(sessionId: string, calledNumber: string): string {
  return digestOf([sessionId, calledNumber]).toString('base64url')
}
