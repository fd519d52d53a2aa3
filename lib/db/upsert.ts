import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection, Document, Filter, OptionalUnlessRequiredId, UpdateFilter } from 'mongodb'
import {
  contended,
  isDuplicateKey,
  isWriteConflict,
  onlyCollisions,
  onlyDuplicates,
  WRITE_CONFLICT,
} from './errors.js'
import { retryOnNetworkError } from './network-retry.js'

/** How often a write is tried that another one is in the way of. */
const ATTEMPTS = 3

/** The longest pause before a write that conflicted is repeated, in milliseconds. */
const PAUSE_MS = 100

/** The result of a write, or undefined where a unique index refused it because another write was first. */
export function unlessTaken<T>(write: () => Promise<T>): Promise<T | undefined> {
  return despiteConflict(write).catch(error => {
    if (isDuplicateKey(error)) return undefined
    throw error
  })
}

/**
 * Inserts a document unless its `_id` is taken. Returns the stored one, which is this very object where it was new. One
 * that was there is read with read concern `majority`: a mongos before version 8 may hide a failed write concern behind
 * a duplicate key, and what only the primary has may be lost in an election.
 *
 * @throws {AppError} `unavailable` where a majority does not have it yet, or it was deleted meanwhile.
 */
export async function insertOnce<T extends Document>(collection: Collection<T>, document: T): Promise<T> {
  const insert = () => collection.insertOne(document as OptionalUnlessRequiredId<T>)
  if (await unlessTaken(() => retryOnNetworkError(insert))) return document
  const taken = { _id: document._id } as Filter<T>
  const stored = await collection.findOne<T>(taken, { readConcern: 'majority' })
  if (!stored) throw contended()
  return stored
}

/**
 * Repeats an upsert once after a collision: two at once that find no document both insert, and the loser finds the
 * winner's document when it tries again.
 */
export function retryUpsert<T>(upsert: () => Promise<T>): Promise<T> {
  return despiteConflict(upsert).catch(error => {
    if (isDuplicateKey(error)) return despiteConflict(upsert)
    throw error
  })
}

/** Repeats a write that another one is in the way of. After random pauses: two in step would meet again. */
async function despiteConflict<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!isWriteConflict(error)) throw error
    }
    await sleep(Math.random() * PAUSE_MS)
  }
  return write()
}

/**
 * Inserts the documents that are not there yet, in one round trip, and returns their positions. The unique `_id`
 * decides, whatever else is inserted at the same moment; those that conflicted are inserted again.
 */
export async function insertNew<T extends Document>(
  collection: Collection<T>,
  documents: readonly T[],
): Promise<Set<number>> {
  const inserted = new Set<number>()
  let pending = [...documents.entries()]
  for (let attempt = 1; pending.length > 0; attempt++) {
    const sent = pending
    const batch = sent.map(([, document]) => document as OptionalUnlessRequiredId<T>)
    const refused = await retryOnNetworkError(() => collection.insertMany(batch, { ordered: false })).then(
      () => [],
      error => {
        if (!(attempt < ATTEMPTS ? onlyCollisions : onlyDuplicates)(error)) throw error
        return [error.writeErrors].flat()
      },
    )
    const codes = new Map(refused.map(({ index, code }) => [index, code]))
    for (const [i, [position]] of sent.entries()) if (!codes.has(i)) inserted.add(position)
    pending = sent.filter((_, i) => codes.get(i) === WRITE_CONFLICT)
  }
  return inserted
}

/** Upserts many documents in one round trip. */
export async function bulkUpsert<T extends Document>(
  collection: Collection<T>,
  upserts: readonly { filter: Filter<T>; update: UpdateFilter<T> | Document[] }[],
): Promise<void> {
  let pending = upserts
  for (let attempt = 1; pending.length > 0; attempt++) {
    const sent = pending
    const operations = sent.map(upsert => ({ updateOne: { ...upsert, upsert: true } }))
    const collided = await collection.bulkWrite(operations, { ordered: false }).then(
      () => [],
      error => {
        if (attempt === ATTEMPTS || !onlyCollisions(error)) throw error
        return [error.writeErrors].flat()
      },
    )
    pending = collided.flatMap(({ index }) => sent[index] ?? [])
  }
}
