import type { Collection, Document, Filter, UpdateFilter } from 'mongodb'
import { isDuplicateKey, onlyDuplicates } from './errors.js'

/** How often a bulk of upserts is tried; each time round, what collided before finds a document. */
const ATTEMPTS = 3

/** What a write returns, or undefined where a unique index refused it: somebody else was first. */
export function unlessTaken<T>(write: () => Promise<T>): Promise<T | undefined> {
  return write().catch(error => {
    if (isDuplicateKey(error)) return undefined
    throw error
  })
}

/**
 * Runs an upsert again where it collided: of two that find nothing at the same moment both try to insert, and the
 * loser finds the winner's document when it looks again.
 */
export function retryUpsert<T>(upsert: () => Promise<T>): Promise<T> {
  return upsert().catch(error => {
    if (isDuplicateKey(error)) return upsert()
    throw error
  })
}

/** Upserts many documents in one round trip, and says by position which of them were new. */
export async function bulkUpsert<T extends Document>(
  collection: Collection<T>,
  upserts: readonly { filter: Filter<T>; update: UpdateFilter<T> | Document[] }[],
): Promise<Set<number>> {
  const inserted = new Set<number>()
  let pending = upserts.map((upsert, position) => ({ upsert, position }))
  for (let attempt = 1; pending.length > 0; attempt++) {
    const sent = pending
    const operations = sent.map(({ upsert }) => ({ updateOne: { ...upsert, upsert: true } }))
    const { upsertedIds, collided } = await collection.bulkWrite(operations, { ordered: false }).then(
      result => ({ upsertedIds: result.upsertedIds, collided: new Set<number>() }),
      error => {
        if (attempt === ATTEMPTS || !onlyDuplicates(error)) throw error
        const indexes = [error.writeErrors].flat().map(writeError => writeError.index)
        return { upsertedIds: error.result.upsertedIds, collided: new Set(indexes) }
      },
    )
    for (const index of Object.keys(upsertedIds)) {
      const position = sent[Number(index)]?.position
      if (position !== undefined) inserted.add(position)
    }
    pending = sent.filter((_, index) => collided.has(index))
  }
  return inserted
}
