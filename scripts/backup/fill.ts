import type { Db } from 'mongodb'
import { UsageError } from '../dev/usage-error.js'
import type { Typed } from '../support/command.js'
import { interruptible } from '../support/interruption.js'
import { startProgress } from '../support/progress.js'
import { emptyTally, type Tally, tallyTable } from '../support/table.js'
import type { Target } from '../support/target.js'
import { type Claim, claim, type Ground, survey } from './unfinished-restore.js'
import { type CollectionSource, writeCollections } from './write-collections.js'

const GO_ON = 'The same command drops what it wrote and begins anew.'

/** A database that is to be filled. */
export interface Filling {
  db: Db
  target: Target
  /** With `--drop`, collections of the same names are dropped. */
  typed: Typed
  /** Without it, what would be written is shown. */
  apply: boolean
}

/**
 * Lets `write` fill an empty database, or one of which `--drop` drops the collections that are written.
 *
 * @param names the collections that are written.
 * @throws {UsageError} where there are documents that may not be dropped.
 */
export async function fill(
  { db, target, typed, apply }: Filling,
  names: readonly string[],
  write: (claim: Claim, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ground = await survey(db)
  if (ground.occupied.length > 0 && !typed.has('drop'))
    throw new UsageError(
      `${target.databaseName} is not empty, there are documents in ${ground.occupied.join(', ')}: choose another database, or say --drop`,
    )
  announce(ground, names)
  if (!apply) return
  await interruptible(GO_ON, async signal => {
    const own = await claim(db, ground, names, new Date())
    await write(own, signal)
    await own.finish()
  })
}

/**
 * Fills a database as `fill` does, one collection after the other, and shows what was written, or would be.
 *
 * @param counts about how many documents there are, by collection.
 * @throws {Error} when an index could not be built, after everything else was written.
 */
export async function fillFrom(
  filling: Filling,
  sources: readonly CollectionSource[],
  counts: ReadonlyMap<string, number>,
): Promise<void> {
  const whole = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const tallies = Object.fromEntries([...counts].map(([name, count]) => [name, plannedTally(count)]))
  await fill(filling, [...counts.keys()], async (claim, signal) => {
    const progress = startProgress('documents')
    const written = (count: number) => progress.report(count, count / Math.max(whole, count))
    try {
      Object.assign(tallies, await writeCollections(filling.db, sources, { claim, signal, written }))
    } finally {
      progress.end()
    }
  })
  console.log(tallyTable(tallies))
  const failed = Object.values(tallies).reduce((sum, tally) => sum + tally.failed, 0)
  if (failed > 0) throw new Error(`${failed} index${failed === 1 ? '' : 'es'} could not be built`)
}

function announce({ half, halfStartedAt, occupied }: Ground, names: readonly string[]): void {
  const dropped = occupied.filter(name => names.includes(name))
  const left = occupied.filter(name => !names.includes(name))
  if (halfStartedAt)
    console.error(
      `A restore of ${halfStartedAt.toISOString()} was not finished. Its half is to be dropped: ${half.join(', ') || 'nothing'}.`,
    )
  if (dropped.length > 0) console.error(`To be dropped and written anew: ${dropped.join(', ')}.`)
  if (left.length > 0) console.error(`To be left as they are: ${left.join(', ')}.`)
}

function plannedTally(count: number): Tally {
  return { ...emptyTally(), scanned: count, written: count }
}
