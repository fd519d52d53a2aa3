import { database } from '../lib/db/client.js'
import type { ComparedIndex } from '../lib/db/index-drift.js'
import { type CollectionState, readCollectionStates } from '../lib/domain/maintenance/index-states.js'
import { bringAbout, createCollection, keyText, type Outcome } from './init-db/build.js'
import { ADMIN_FLAGS, makeAdmin, readAdmin } from './support/admin.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { interruptible } from './support/interruption.js'
import { startProgress } from './support/progress.js'
import { emptyTally, type Tally, tableOf, tallyTable } from './support/table.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run init-db --',
  summary:
    'Makes every collection and index that is declared, and reports what differs. Fails while anything does.',
  flags: {
    rebuild: {
      type: 'boolean',
      help: 'drop indexes that differ and make them anew; until then queries do without',
    },
    'drop-undeclared': { type: 'boolean', help: 'drop indexes that nothing declares' },
    admin: { type: 'string', value: 'ADDRESS', help: 'also make an admin of this e-mail address' },
    ...ADMIN_FLAGS,
    ...WRITE_FLAGS,
  },
}

/** Brings the database to what the code declares; in a dry run says what that takes. */
export async function run(typed: Typed): Promise<void> {
  const admin = typed.text('admin') === undefined ? undefined : readAdmin(typed, 'admin')
  await withTarget(async target => {
    const apply = await mayWrite(target, typed)
    const drift = await interruptible('The same command goes on from here.', signal =>
      initialise(target, typed, apply, signal),
    )
    if (admin) await makeAdmin(admin, typed, apply)
    if (drift > 0)
      throw new Error(`${drift} of the collections and indexes ${drift === 1 ? 'is' : 'are'} not as declared`)
  })
}

/** Returns how many collections and indexes are not as declared in the end. */
async function initialise(
  target: Target,
  typed: Typed,
  apply: boolean,
  signal: AbortSignal,
): Promise<number> {
  const db = await database()
  const states = await readCollectionStates()
  const permitted = { apply, rebuild: typed.has('rebuild'), dropUndeclared: typed.has('drop-undeclared') }
  const tallies = { collections: emptyTally(), indexes: emptyTally() }
  const rows: string[][] = []
  const total = states.reduce((sum, { indexes }) => sum + indexes.length, 0)
  const progress = startProgress('indexes')
  try {
    for (const state of states) {
      signal.throwIfAborted()
      const { name } = state.collection
      if (apply && !state.exists) await createCollection(db, name)
      count(tallies.collections, state.exists ? 'same' : 'written')
      if (!state.exists) {
        const its = `with its indexes (${state.indexes.length})`
        rows.push([name, '', '', 'missing', apply ? `made, ${its}` : `is made by --apply, ${its}`])
      }
      for (const index of firstUndeclared(state.indexes)) {
        const outcome = await bringAbout(db, state, index, permitted)
        count(tallies.indexes, outcome.state)
        if (outcome.state !== 'same' && (state.exists || outcome.state !== 'written'))
          rows.push([name, index.name, keyOf(state, index), index.state, outcome.what])
        progress.report(tallies.indexes.scanned, tallies.indexes.scanned / total)
        signal.throwIfAborted()
      }
    }
  } finally {
    progress.end()
  }
  if (rows.length > 0) console.log(`${tableOf(['collection', 'index', 'key', 'state', 'what'], rows)}\n`)
  console.log(tallyTable(tallies))
  const { collections, indexes } = tallies
  const left = indexes.skipped + indexes.failed
  if (!apply) return collections.written + indexes.written + left
  if (left === 0) console.error(`${target.databaseName} is as declared.`)
  return left
}

/** What nothing declares may have the key of what is missing, and be in its way. */
function firstUndeclared(indexes: readonly ComparedIndex[]): ComparedIndex[] {
  const isUndeclared = ({ state }: ComparedIndex) => state === 'undeclared'
  return [...indexes.filter(isUndeclared), ...indexes.filter(index => !isUndeclared(index))]
}

function keyOf({ collection }: CollectionState, { name }: ComparedIndex): string {
  const declared = collection.indexes.find(index => index.name === name)
  return declared ? keyText(declared) : ''
}

/**
 * What is as declared counts as scanned alone; in a dry run, as written what `--apply` with the same flags would
 * write.
 */
function count(tally: Tally, state: Outcome['state']): void {
  tally.scanned += 1
  if (state === 'written') tally.written += 1
  if (state === 'left') tally.skipped += 1
  if (state === 'failed') tally.failed += 1
}

await runAsProgram(import.meta.url, line, run)
