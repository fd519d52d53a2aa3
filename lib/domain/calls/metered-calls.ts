import type { FindCursor, ObjectId } from 'mongodb'
import { newestFirst } from '../../db/keyset.js'
import { oneOf } from '../data-scope.js'
import type { MeteredCall, Metering } from '../usage/usage-entries.js'
import { type Conversation, conversations, startOf } from './conversations.js'

const FIELDS = {
  userId: 1,
  sessionId: 1,
  status: 1,
  duration: 1,
  startedAt: 1,
  createdAt: 1,
  updatedAt: 1,
  metered: 1,
} as const

/** What usage reads of a call's document. */
export type CallRecord = Pick<Conversation, keyof typeof FIELDS>

/** A call's document as it is metered. */
export function meteredCallOf(record: CallRecord): MeteredCall {
  const { userId, sessionId, status, duration, metered } = record
  return { userId, sessionId, startedAt: startOf(record), seconds: Math.ceil(duration ?? 0), status, metered }
}

/** Those of a user's calls, by session. */
export async function findCalls(
  userId: ObjectId,
  sessionIds: readonly string[],
): Promise<Map<string, CallRecord>> {
  if (sessionIds.length === 0) return new Map()
  const found = await (await conversations.open())
    .find({ userId, sessionId: oneOf(sessionIds) })
    .project<CallRecord>(FIELDS)
    .toArray()
  return new Map(found.map(record => [record.sessionId, record]))
}

/** Whose a call is that came in on a number, whoever has that by now; undefined where nothing of it was posted yet. */
export async function findUserOfCall(sessionId: string, calledNumber: string): Promise<ObjectId | undefined> {
  const call = await (await conversations.open()).findOne(
    { sessionId, calledNumber },
    { projection: { userId: 1 } },
  )
  return call?.userId
}

/** A user's calls since some time, newest first. */
export async function callsSince(userId: ObjectId, since: Date): Promise<FindCursor<CallRecord>> {
  return (await conversations.open())
    .find({ userId, createdAt: { $gte: since } })
    .sort(newestFirst)
    .project<CallRecord>(FIELDS)
}

/** Writes to a call's document what it was metered as. */
export async function storeMetering(userId: ObjectId, sessionId: string, metered: Metering): Promise<void> {
  await (await conversations.open()).updateOne({ userId, sessionId }, { $set: { metered } })
}
