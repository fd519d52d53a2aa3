import { database } from '../../lib/db/client.js'
import { DAY_MS } from '../../lib/domain/durations.js'
import type { Migration } from '../../lib/domain/maintenance/migrations.js'
import { env } from '../../lib/env.js'
import { startProgress } from '../support/progress.js'
import type { Tally } from '../support/table.js'
import { beginMigration, finishMigration, release } from './batches.js'
import { assertUnchanged, type SourceFile } from './check-files.js'
import { addToCounters } from './count-imports.js'
import { type Import, importFile } from './import-file.js'
import { legacyFiles } from './legacy-files.js'
import { linkLeads } from './link-leads.js'
import { linkStoredSessions } from './link-sessions.js'

const MAX_REPORTED = 20

export interface ImportAll {
  files: readonly SourceFile[]
  /** Where they are, to be remembered. */
  source: string
  apply: boolean
  salvage: boolean
  /** One that was interrupted, to go on with. */
  unfinished: Migration | undefined
  signal: AbortSignal
  now: Date
}

export interface Imported {
  tallies: Record<string, Tally>
  /** What was begun or gone on with; undefined where everything was there already. */
  migration: Migration | undefined
}

/**
 * Imports what is not there yet, links it and counts it. What a run writes carries the number of its migration; a run
 * that finds nothing new begins none.
 *
 * @throws {Interrupted} at a safe point: the same call goes on from there.
 */
export async function importAll(run: ImportAll): Promise<Imported> {
  let migration = run.unfinished
  async function begin(): Promise<number> {
    migration ??= await beginMigration(run.source, run.now)
    return migration._id
  }
  try {
    const tallies: Record<string, Tally> = {}
    for (const file of run.files)
      tallies[file.kind.name] = await importOne(file, run, run.apply ? begin : undefined)
    if (migration) await finish(migration, run.signal)
    return { tallies, migration }
  } catch (error) {
    // Whoever comes next may go on at once; where the database is away, it finds that this process is gone.
    if (migration) await release(migration).catch(() => {})
    throw error
  }
}

async function importOne(file: SourceFile, run: ImportAll, begin: Import['begin']): Promise<Tally> {
  const { kind, path, sizeBytes } = file
  const expiredUntil = await kind.findExpiredUntil?.(run.now)
  if (expiredUntil)
    console.error(
      `Of the ${kind.name} until ${expiredUntil.toISOString()}, which were imported before, some have expired since: ` +
        'they are counted already and stay out.',
    )
  const progress = startProgress(kind.name)
  const leftOut = new LeftOut(kind.file)
  try {
    const tally = await importFile(kind, {
      path,
      sizeBytes,
      begin,
      expiresAt: expiryOf(run.unfinished?.startedAt ?? run.now),
      expiredUntil,
      salvage: run.salvage,
      signal: run.signal,
      progress,
      report: (position, reason) => leftOut.add(position, reason),
    })
    await assertUnchanged(file)
    return tally
  } finally {
    progress.end()
    leftOut.print()
  }
}

async function finish(migration: Migration, signal: AbortSignal): Promise<void> {
  console.error('Linking leads to the first of their person …')
  await linkLeads(migration._id, signal)
  await linkStoredSessions(signal)
  signal.throwIfAborted()
  console.error('Counting …')
  await addToCounters(migration._id)
  const db = await database()
  const counts: Record<string, number> = {}
  for (const { collection } of legacyFiles)
    counts[collection.name] = await db
      .collection(collection.name)
      .countDocuments({ migration: migration._id })
  await finishMigration(migration, counts, new Date())
}

/**
 * Where events are kept for a limited time, old ones are kept as long as new ones: from their import on, so that the
 * counters and a rollback find them. By the day, so that an import that was interrupted ends like any other.
 */
function expiryOf(startedAt: Date): Date | undefined {
  const { eventRetentionDays } = env()
  if (eventRetentionDays === undefined) return undefined
  const today = Math.floor(startedAt.getTime() / DAY_MS) * DAY_MS
  return new Date(today + (eventRetentionDays + 1) * DAY_MS)
}

/** The rows of a file that were left out, to be named after its progress: the first of them. */
class LeftOut {
  private readonly lines: string[] = []
  private more = 0

  constructor(private readonly file: string) {}

  add(position: number, reason: string): void {
    if (this.lines.length < MAX_REPORTED) this.lines.push(`  ${this.file}, byte ${position}: ${reason}`)
    else this.more += 1
  }

  print(): void {
    for (const line of this.lines) console.error(line)
    if (this.more > 0) console.error(`  and ${this.more} more`)
  }
}
