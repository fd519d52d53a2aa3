import { randomBytes, randomUUID } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { Conversation, conversations } from '../lib/domain/calls/conversations.js'
import { accountAt, storeSignedIn } from './accounts.js'
import type { BenchDatabase } from './database.js'
import type { Bench } from './harness.js'
import { storeUsage } from './stored-usage.js'

/** Whose calls they are: the account of this place. */
export const CALLEE = 0
/** As many calls of any number have the rare status, and come from the rare number. */
export const RARE_CALLS = 20
export const RARE = { status: 'failed', phoneNumber: '+912227781234' } as const
export const FREQUENT = { status: 'completed', phoneNumber: '+919876501234' } as const

const BATCH = 1_000
const FIRST_CALL_AT = Date.UTC(2026, 0, 1)
const MINUTE_MS = 60_000
const DURATION = 74

/** When a call began: one each minute. */
export function createdAt(position: number): Date {
  return new Date(FIRST_CALL_AT + position * MINUTE_MS)
}

/**
 * A database with so many calls of one account that is signed in, as ingest leaves them, and as many periods of usage:
 * its own and those of others. Without the turns of the calls.
 */
export function filledWithCalls({ deployment, signal, say }: Bench, count: number): Promise<BenchDatabase> {
  return deployment.filled(`calls-${count}`, async database => {
    say(`storing ${count.toLocaleString('en')} calls …`)
    await storeSignedIn(database, CALLEE)
    await storeCalls(database, count, deployment.embedded, signal)
    await storeUsage(database, count, signal)
  })
}

async function storeCalls(
  { db }: BenchDatabase,
  count: number,
  embedded: boolean,
  signal: AbortSignal,
): Promise<void> {
  const collection = db.collection<Conversation>(conversations.name)
  const createIndexes = () => collection.createIndexes(conversations.indexes.map(index => ({ ...index })))
  // While it makes an index the embedded database answers nobody.
  if (embedded) await createIndexes()
  Conversation.parse(callAt(0, count))
  for (let from = 0; from < count; from += BATCH) {
    signal.throwIfAborted()
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => callAt(from + i, count))
    await collection.insertMany(batch, { ordered: false })
  }
  if (!embedded) await createIndexes()
}

function callAt(position: number, count: number): Conversation {
  const every = Math.ceil(count / RARE_CALLS)
  const { status, phoneNumber } = position % every === every - 1 ? RARE : FREQUENT
  const at = createdAt(position)
  const endedAt = new Date(at.getTime() + DURATION * 1000)
  const month = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth())).toISOString()
  return {
    _id: new ObjectId(randomBytes(12)),
    userId: accountAt(CALLEE)._id,
    sessionId: randomUUID(),
    callSid: `CA${randomBytes(16).toString('hex')}`,
    phoneNumber,
    calledNumber: '+918047101234',
    status,
    startedAt: at,
    endedAt,
    duration: DURATION,
    userMessage: 'Do you have a flat by the lake?',
    aiResponse: 'We have two, and one of them is free from March on. Shall I tell you what it costs?',
    latestTurn: { at: endedAt, id: new ObjectId(randomBytes(12)) },
    metered: { periodId: `month:${month}`, calls: 1, seconds: DURATION },
    createdAt: at,
    updatedAt: endedAt,
  }
}
