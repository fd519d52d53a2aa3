import { BSON, type ObjectId } from 'mongodb'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { Progress } from '../support/progress.js'
import { emptyTally, type Tally } from '../support/table.js'
import type { ImportKind, Item, ProjectFacts } from './import-kind.js'
import { CorruptFile, type Row, readRows } from './json-rows.js'
import { type LegacyRow, UnusableRow } from './legacy-values.js'
import { type Storing, storeItems } from './store-items.js'

/** A bulk has at most so many rows, of so many bytes together. */
const CHUNK_ROWS = 1_000
const CHUNK_BYTES = 4 * 1024 * 1024

/** MongoDB's own limit, less what a migration and its links add. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 - 4096

export interface Import {
  path: string
  sizeBytes: number
  begin: Storing['begin']
  expiresAt: Date | undefined
  /** What was received until then was imported before and has expired since. */
  expiredUntil: Date | undefined
  /** Stop quietly where the file is damaged. */
  salvage: boolean
  signal: AbortSignal
  progress: Progress
  /** A row that could not be imported as it is, or says nothing. */
  report(position: number, reason: string): void
}

/**
 * Imports one file. While a bulk is on its way the next one is read and prepared, and no more than that: memory does
 * not depend on the file.
 *
 * @throws {CorruptFile} once everything before the fault is stored, unless it is to be salvaged.
 * @throws {Interrupted} between two bulks.
 */
export async function importFile(kind: ImportKind, { path, ...run }: Import): Promise<Tally> {
  const tally = emptyTally()
  const fail = (position: number, reason: string) => {
    tally.failed += 1
    run.report(position, reason)
  }
  let wasNew = false
  let storing: Promise<void> = Promise.resolve()

  async function store(items: Item[], end: number): Promise<void> {
    const { written, skipped, failed } = await storeItems(kind, items, {
      begin: run.begin,
      // A second run finds everything there already: asking is cheaper than being refused.
      lookFirst: !wasNew || run.begin === undefined,
    })
    wasNew = written.length > 0
    tally.written += written.length
    tally.skipped += skipped
    for (const item of written) {
      const remark = kind.remarkOn?.(item)
      if (remark) run.report(item.position, remark)
    }
    for (const { item, reason } of failed) fail(item.position, reason)
    run.progress.report(tally.scanned, end / run.sizeBytes)
  }

  async function send(rows: Row[], end: number): Promise<void> {
    tally.scanned += rows.length
    const prepared = await prepare(kind, rows, run.expiresAt, fail)
    const { empty } = prepared
    const items = prepared.items.filter(item => !hasExpired(item, run.expiredUntil))
    for (const position of empty) run.report(position, 'null: there is nothing in it')
    tally.skipped += empty.length + prepared.items.length - items.length
    await storing
    run.signal.throwIfAborted()
    storing = store(items, end)
    // Whoever waits for it next hears of its failure.
    storing.catch(() => {})
  }

  try {
    for await (const { rows, end } of chunks(path, kind.list)) await send(rows, end)
  } catch (error) {
    if (!run.salvage || !(error instanceof CorruptFile)) {
      await storing.catch(() => {})
      throw error
    }
  }
  await storing
  return tally
}

/** The rows of a file as they are stored together. Throws after the last of them where the file is damaged. */
export async function* chunks(path: string, list: string): AsyncGenerator<{ rows: Row[]; end: number }> {
  let rows: Row[] = []
  let bytes = 0
  let end = 0
  let fault: unknown
  try {
    for await (const read of readRows(path, list))
      for (const row of read) {
        rows.push(row)
        bytes += row.end - row.start
        end = row.end
        if (rows.length < CHUNK_ROWS && bytes < CHUNK_BYTES) continue
        yield { rows, end }
        rows = []
        bytes = 0
      }
  } catch (error) {
    fault = error
  }
  if (rows.length > 0) yield { rows, end }
  if (fault !== undefined) throw fault
}

/** The documents of some rows, with what the database knows of their projects by now. */
export async function prepare(
  kind: ImportKind,
  rows: readonly Row[],
  expiresAt: Date | undefined,
  fail: (position: number, reason: string) => void,
): Promise<{ items: Item[]; empty: number[] }> {
  const empty = rows.filter(({ value }) => value === null).map(({ start }) => start)
  const usable = rows.filter(({ value }) => value !== null)
  const facts = await projectsOf(kind, usable)
  const items = usable.flatMap(({ value, start, end }) => {
    try {
      if (!isRow(value)) throw new UnusableRow('it is no object')
      const projectId = kind.projectOf?.(value) ?? ''
      const document = kind.documentOf(value, facts.get(projectId) ?? { projectId }, expiresAt)
      // A document is seldom larger than its JSON, but for keys that are kept as pairs.
      if (end - start > MAX_DOCUMENT_BYTES / 4 && BSON.calculateObjectSize(document) > MAX_DOCUMENT_BYTES)
        throw new UnusableRow('it is larger than MongoDB stores')
      return [{ row: value, position: start, document }]
    } catch (error) {
      if (!(error instanceof UnusableRow)) throw error
      fail(start, error.message)
      return []
    }
  })
  return { items, empty }
}

/** Whether a row is among those that were imported before and have expired since. */
export function hasExpired({ document }: Item, expiredUntil: Date | undefined): boolean {
  return expiredUntil !== undefined && document.receivedAt <= expiredUntil
}

/** Asked anew for every bulk: a project that changes hands meanwhile is its new owner's. */
async function projectsOf(kind: ImportKind, rows: readonly Row[]): Promise<Map<string, ProjectFacts>> {
  const { projectOf } = kind
  if (!projectOf) return new Map()
  const ids = new Set(rows.map(({ value }) => (isRow(value) ? projectOf(value) : '')))
  const stored = (await widgetConfigs.open()).find<{
    projectId: string
    ownerId?: ObjectId
    phoneCountry?: string
  }>({ projectId: { $in: [...ids] } }, { projection: { _id: 0, projectId: 1, ownerId: 1, phoneCountry: 1 } })
  return new Map((await stored.toArray()).map(facts => [facts.projectId, facts]))
}

function isRow(value: unknown): value is LegacyRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
