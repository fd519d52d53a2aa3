import { hostname } from 'node:os'
import { isDuplicateKey } from '../../lib/db/errors.js'
import { type Migration, migrations } from '../../lib/domain/maintenance/migrations.js'
import { UsageError } from '../dev/usage-error.js'
import { isRunning } from '../support/processes.js'

const self = { host: hostname(), pid: process.pid }

/** The migration that was begun last, if any is there. */
export async function lastMigration(): Promise<Migration | undefined> {
  const all = (await migrations.open()).find().sort({ _id: -1 }).limit(1)
  return (await all.toArray())[0]
}

/**
 * Begins a migration. Its number is the next one, so that of two that begin at once one is refused; and none begins
 * before the last is done, since only the last can be gone on with or undone.
 *
 * @throws {UsageError} where another process has just begun one.
 */
export async function beginMigration(source: string, startedAt: Date): Promise<Migration> {
  const last = await lastMigration()
  if (last && last.state !== 'done') throw justBegun()
  const begun: Migration = { _id: (last?._id ?? 0) + 1, state: 'running', holder: self, source, startedAt }
  try {
    await (await migrations.open()).insertOne(begun)
    return begun
  } catch (error) {
    if (isDuplicateKey(error)) throw justBegun()
    throw error
  }
}

function justBegun(): UsageError {
  return new UsageError('another migration has just begun')
}

/**
 * Makes this process the one that works on a migration which is not done.
 *
 * @throws {UsageError} where another process may still be at it.
 */
export async function takeOver(
  migration: Migration,
  state: Migration['state'],
  force: boolean,
): Promise<void> {
  const { _id, holder } = migration
  if (holder && !force && !isGone(holder))
    throw new UsageError(
      `process ${holder.pid} on ${holder.host} works on migration ${_id}: where it does not any more, say --take-over`,
    )
  const taken = await (await migrations.open()).updateOne(
    { _id, ...(holder ? { holder } : { holder: { $exists: false } }) },
    { $set: { holder: self, state } },
  )
  if (taken.matchedCount === 0) throw new UsageError(`another process has just taken over migration ${_id}`)
}

/** Lets the next process work on it, after an interruption or a failure. */
export async function release({ _id }: Migration): Promise<void> {
  await (await migrations.open()).updateOne({ _id, holder: self }, { $unset: { holder: '' } })
}

export async function finishMigration(
  { _id }: Migration,
  counts: Record<string, number>,
  finishedAt: Date,
): Promise<void> {
  await (await migrations.open()).updateOne(
    { _id },
    { $set: { state: 'done', finishedAt, counts }, $unset: { holder: '' } },
  )
}

/** Of a process elsewhere nothing is known. */
function isGone({ host, pid }: typeof self): boolean {
  return host === self.host && (pid === self.pid || !isRunning(pid))
}
