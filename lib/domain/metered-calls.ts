import type { Collection, FindCursor, ObjectId } from 'mongodb'
import { database } from '../db/client.js'
import type { MeteredCall, Metering } from './usage-entries.js'

/** What usage reads of a call's document, and the one field that it writes. */
export interface CallRecord {
  userId: ObjectId
  sessionId: string
  status: MeteredCall['status']
  /** Seconds. */
  duration?: number
  startedAt?: Date
  createdAt: Date
  updatedAt?: Date
  metered?: Metering
}

const FIELDS = {
  _id: 0,
  userId: 1,
  sessionId: 1,
  status: 1,
  duration: 1,
  startedAt: 1,
  createdAt: 1,
  updatedAt: 1,
  metered: 1,
}

async function calls(): Promise<Collection<CallRecord>> {
  return (await database()).collection<CallRecord>('conversations')
}

export function meteredCallOf(record: CallRecord): MeteredCall {
  const { userId, sessionId, status, duration = 0, startedAt, createdAt, metered } = record
  return {
    userId,
    sessionId,
    startedAt: startedAt ?? createdAt,
    seconds: Math.round(duration),
    status,
    metered,
  }
}

/** Those of a user's calls, by session. */
export async function findCalls(
  userId: ObjectId,
  sessionIds: readonly string[],
): Promise<Map<string, CallRecord>> {
  if (sessionIds.length === 0) return new Map()
  const found = await (await calls())
    .find({ userId, sessionId: { $in: sessionIds } }, { projection: FIELDS })
    .toArray()
  return new Map(found.map(record => [record.sessionId, record]))
}

/** A user's calls since some time, oldest first. */
export async function callsSince(userId: ObjectId, since: Date): Promise<FindCursor<CallRecord>> {
  return (await calls())
    .find({ userId, createdAt: { $gte: since } }, { projection: FIELDS })
    .sort({ createdAt: 1, _id: 1 })
}

/** Writes to a call's document what it was metered as. */
export async function storeMetering(userId: ObjectId, sessionId: string, metered: Metering): Promise<void> {
  await (await calls()).updateOne({ userId, sessionId }, { $set: { metered } })
}
