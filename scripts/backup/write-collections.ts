import type { Db, Document } from 'mongodb'
import { emptyTally, type Tally } from '../support/table.js'
import type { Claim } from './unfinished-restore.js'

/** A document to be inserted, with about its size in bytes. */
export interface Sized {
  document: Document
  bytes: number
}

/** A collection to be written, from a backup or from another database. */
export interface CollectionSource {
  name: string
  options: Document
  documents(): AsyncIterable<Sized>
  indexes(): Promise<Document[]>
}

export interface Writing {
  claim: Claim
  signal: AbortSignal
  /** Called with how many documents were written so far. */
  written(count: number): void
}

/** Small enough that a batch of the longest lines is far below the 48 MB of a message. */
const BATCH_BYTES = 4 * 1024 * 1024
const BATCH_DOCUMENTS = 1_000

/**
 * Writes collections into a database that holds none of them: documents first, and each collection's indexes when all
 * of its documents are there and counted. An index that cannot be built is said, and in the tally as failed.
 *
 * @throws {Error} when a collection has other documents in the end than were written.
 */
export async function writeCollections(
  db: Db,
  sources: readonly CollectionSource[],
  writing: Writing,
): Promise<Record<string, Tally>> {
  const existing = await db.listCollections({}, { nameOnly: true }).toArray()
  const tallies: Record<string, Tally> = {}
  let before = 0
  for (const source of sources) {
    const { name, options } = source
    const isThere = existing.some(found => found.name === name)
    if (!isThere || Object.keys(options).length > 0) await db.command({ create: name, ...options })
    const offset = before
    const count = await writeDocuments(db, source, {
      ...writing,
      written: count => writing.written(offset + count),
    })
    before += count
    const failed = await buildIndexes(db, source)
    tallies[name] = { ...emptyTally(), scanned: count, written: count, failed }
  }
  return tallies
}

async function writeDocuments(
  db: Db,
  { name, documents }: CollectionSource,
  { claim, signal, written }: Writing,
): Promise<number> {
  const collection = db.collection(name)
  let count = 0
  for await (const batch of inBatches(documents())) {
    signal.throwIfAborted()
    await claim.assertMine()
    // An _id is there already, and a Map could not be given one.
    await collection.insertMany(batch, { forceServerObjectId: true })
    count += batch.length
    written(count)
  }
  const found = await collection.countDocuments()
  if (found === count) return count
  throw new Error(
    `${name} has ${found} documents after ${count} were written: is something else writing there? Stop it, and run this again`,
  )
}

async function* inBatches(documents: AsyncIterable<Sized>): AsyncGenerator<Document[]> {
  let batch: Document[] = []
  let size = 0
  for await (const { document, bytes } of documents) {
    if (batch.length > 0 && (size + bytes > BATCH_BYTES || batch.length === BATCH_DOCUMENTS)) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(document)
    size += bytes
  }
  if (batch.length > 0) yield batch
}

/** Builds one after the other, so that one that cannot be built keeps no other from being there. */
async function buildIndexes(db: Db, { name, indexes }: CollectionSource): Promise<number> {
  let failed = 0
  for (const index of await indexes()) {
    // How one kind of server keeps an index, which another does not take.
    delete index.storageEngine
    try {
      await db.command({ createIndexes: name, indexes: [index] })
    } catch (error) {
      failed++
      console.error(`The index ${String(index.name)} of ${name} cannot be built: ${(error as Error).message}`)
    }
  }
  return failed
}
