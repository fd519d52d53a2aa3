import { BSON } from 'mongodb'
import { database } from '../../lib/db/client.js'
import type { Progress } from '../support/progress.js'
import { lastMigration } from './batches.js'
import type { SourceFile } from './check-files.js'
import { chunks, hasExpired, prepare } from './import-file.js'
import type { ImportedDocument, ImportKind, Item } from './import-kind.js'
import { CorruptFile } from './json-rows.js'

/** So many rows of a file are compared field by field, and of what comes behind them one in so many. */
const COMPARED_ALL = 20_000
const COMPARED_ONE_IN = 50

const MAX_DIFFERENCES = 100
/** A row whose document is not there or says something else. */
export interface Difference {
  file: string
  /** Of the row, in bytes. */
  position: number
  id: string
  /** The fields that differ; none where there is no document. */
  fields: string[]
}

export interface VerifiedFile {
  rows: number
  /** Rows with nothing in them, and rows that no document can be made of. */
  empty: number
  unusable: number
  found: number
  missing: number
  /** Not there any more, since they were kept for a limited time. */
  expired: number
  compared: number
  differing: number
  /** Not compared: somebody has changed the document since. */
  changedSince: number
}

/** What is compared of one file: every row has its document, and those looked at closely say what their rows say. */
export async function verifyFile(
  { kind, path, sizeBytes }: SourceFile,
  { signal, progress, differences }: { signal: AbortSignal; progress: Progress; differences: Difference[] },
): Promise<VerifiedFile> {
  const verified: VerifiedFile = {
    rows: 0,
    empty: 0,
    unusable: 0,
    found: 0,
    missing: 0,
    expired: 0,
    compared: 0,
    differing: 0,
    changedSince: 0,
  }
  const expiredUntil = await kind.findExpiredUntil?.(new Date())
  const migration = await lastMigration()
  const since = migration?.finishedAt ?? migration?.startedAt ?? new Date()
  const note = ({ position, document }: Item, fields: string[]) => {
    if (differences.length < MAX_DIFFERENCES)
      differences.push({ file: kind.file, position, id: String(document[kind.identity ?? '_id']), fields })
  }
  try {
    for await (const { rows, end } of chunks(path, kind.list)) {
      signal.throwIfAborted()
      const { items, empty } = await prepare(kind, rows, undefined, () => {
        verified.unusable += 1
      })
      await kind.complete?.(items)
      const sample = items.filter((_, i) =>
        verified.rows + i < COMPARED_ALL ? true : i % COMPARED_ONE_IN === 0,
      )
      const [there, documents] = await Promise.all([find(kind, items, false), find(kind, sample, true)])
      verified.rows += rows.length
      verified.empty += empty.length
      for (const item of items) {
        const isFound = there.has(String(item.document[kind.identity ?? '_id']))
        const state = isFound ? 'found' : hasExpired(item, expiredUntil) ? 'expired' : 'missing'
        verified[state] += 1
        if (state === 'missing') note(item, [])
      }
      for (const item of sample) {
        const stored = documents.get(String(item.document[kind.identity ?? '_id']))
        if (!stored) continue
        if (stored.migration === undefined || stored.updatedAt > since) verified.changedSince += 1
        else {
          verified.compared += 1
          const fields = await differingFields(kind, item, stored)
          if (fields.length > 0) {
            verified.differing += 1
            note(item, fields)
          }
        }
      }
      progress.report(verified.rows, end / sizeBytes)
    }
  } catch (error) {
    // What comes behind the fault was not imported either.
    if (!(error instanceof CorruptFile)) throw error
  }
  return verified
}

async function find(
  { collection, identity = '_id' }: ImportKind,
  items: readonly Item[],
  whole: boolean,
): Promise<Map<string, ImportedDocument>> {
  const found = (await database())
    .collection<ImportedDocument>(collection.name)
    .find(
      { [identity]: { $in: items.map(({ document }) => document[identity]) } },
      whole ? {} : { projection: { [identity]: 1 } },
    )
  return new Map((await found.toArray()).map(document => [String(document[identity]), document]))
}

/** The fields in which no form of a row's document is what is stored. */
async function differingFields(kind: ImportKind, item: Item, stored: ImportedDocument): Promise<string[]> {
  const fields = fieldsOfNoForm(kind, item, stored)
  if (fields.length === 0) return fields
  // A row under an id that an earlier row has: it is stored under one of its own.
  const document = kind.alternative?.(item, stored)
  if (!document) return fields
  const underOwnId = { ...item, document }
  const own = (await find(kind, [underOwnId], true)).get(String(document._id))
  return own ? fieldsOfNoForm(kind, underOwnId, own) : fields
}

/** The fields that differ from what is stored, where it is no other form of the document under the same id. */
function fieldsOfNoForm(kind: ImportKind, item: Item, stored: ImportedDocument): string[] {
  const fields = fieldsThatDiffer(item.document, stored)
  if (fields.length === 0) return fields
  const other = kind.alternative?.(item, undefined)
  return other && fieldsThatDiffer(other, stored).length === 0 ? [] : fields
}

/** A project may have changed hands since, and an event is kept from its import on. */
const MOVING = new Set(['ownerId', 'expiresAt'])

function fieldsThatDiffer(expected: ImportedDocument, stored: ImportedDocument): string[] {
  return Object.keys(expected).filter(
    field => !MOVING.has(field) && !bytesOf(expected[field]).equals(bytesOf(stored[field])),
  )
}

/** As it is stored: what BSON cannot hold as it was is the same in both. */
function bytesOf(value: unknown): Buffer {
  return Buffer.from(BSON.serialize({ value }))
}
