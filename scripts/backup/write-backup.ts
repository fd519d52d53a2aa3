import { join } from 'node:path'
import { BSON } from 'mongodb'
import { startProgress } from '../support/progress.js'
import { emptyTally, type Tally, tallyTable } from '../support/table.js'
import { writeLines } from './line-files.js'
import type { BackedUpCollection, Contents, LineFile } from './manifest.js'
import type { StoredCollection } from './stored-collections.js'
import { lineOf } from './stored-documents.js'

/** What a backup is to be written of, and where. */
export interface BackupWork {
  collections: readonly StoredCollection[]
  directory: string
  signal: AbortSignal
}

/** What was written, for the manifest and for people. */
export interface WrittenBackup {
  contents: Contents
  table: string
}

/**
 * Writes two files for each collection, one of its documents and one of its indexes, a collection after the other.
 *
 * @throws {Error} naming the document that the driver cannot give back as it is.
 */
export async function writeBackup({ collections, directory, signal }: BackupWork): Promise<WrittenBackup> {
  const whole = collections.reduce((sum, { estimate }) => sum + estimate, 0)
  const progress = startProgress('documents')
  const written: BackedUpCollection[] = []
  const tallies: Record<string, Tally> = {}
  let count = 0
  try {
    for (const [at, collection] of collections.entries()) {
      const { name } = collection
      const stem = fileStemOf(name, at + 1)
      const documents = await writeFile(directory, `${stem}.jsonl.gz`, async function* () {
        for await (const bytes of collection.documents()) {
          signal.throwIfAborted()
          yield lineOfDocument(name, bytes)
          progress.report(++count, count / Math.max(whole, count))
        }
      })
      const indexes = await writeFile(directory, `${stem}.indexes.jsonl.gz`, async function* () {
        for (const bytes of await collection.indexes()) yield lineOf(bytes)
      })
      const options = BSON.EJSON.serialize(collection.options, { relaxed: false })
      written.push({ name, options, documents, indexes })
      tallies[name] = { ...emptyTally(), scanned: documents.count, written: documents.count }
    }
  } finally {
    progress.end()
  }
  return { contents: { method: 'extended-json', collections: written }, table: tallyTable(tallies) }
}

/** A name that any file system takes, whatever the collection is called, and that no two collections share. */
function fileStemOf(name: string, ordinal: number): string {
  const readable = name.replace(/[^a-z0-9]+/g, '-').slice(0, 40)
  return `${String(ordinal).padStart(4, '0')}-${readable}`
}

async function writeFile(
  directory: string,
  file: string,
  lines: () => AsyncIterable<string>,
): Promise<LineFile> {
  let count = 0
  async function* counted() {
    for await (const line of lines()) {
      count++
      yield line
    }
  }
  const digest = await writeLines(join(directory, file), counted())
  return { file, count, ...digest }
}

function lineOfDocument(collection: string, bytes: Uint8Array): string {
  try {
    return lineOf(bytes)
  } catch (error) {
    const { _id } = BSON.deserialize(bytes, { validation: { utf8: false } })
    throw new Error(
      `the document ${String(_id)} of ${collection} cannot be backed up here, but by mongodump: ${(error as Error).message}`,
    )
  }
}
