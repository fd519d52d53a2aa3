import { resolve } from 'node:path'
import { UsageError } from './dev/usage-error.js'
import { lastMigration, takeOver } from './migrate/batches.js'
import { checkFile, findFiles, type SourceFile } from './migrate/check-files.js'
import { importAll } from './migrate/import-all.js'
import { countBrought, countChanged, rollBack } from './migrate/roll-back.js'
import { verify } from './migrate/verify.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { interruptible } from './support/interruption.js'
import { startProgress } from './support/progress.js'
import { tableOf, tallyTable } from './support/table.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run migrate:file-to-mongo --',
  summary:
    'Imports the files of the old store: leads, chat sessions, events and widget configurations. Skips what is imported already, and never touches the files.',
  flags: {
    from: { type: 'string', value: 'DIR', help: 'where the files are: leads.json, chat-sessions.json, …' },
    salvage: { type: 'boolean', help: 'import of a damaged file what precedes the damage' },
    verify: { type: 'boolean', help: 'compare the files with the database; with --apply, after the import' },
    report: {
      type: 'string',
      value: 'FILE',
      help: 'where --verify writes its report (migration-report.json)',
    },
    rollback: { type: 'string', value: 'NUMBER', help: 'undo the last migration, which has this number' },
    'discard-changes': { type: 'boolean', help: 'undo it though its documents were changed since' },
    'take-over': { type: 'boolean', help: 'go on where a process elsewhere has ended without a word' },
    ...WRITE_FLAGS,
  },
}

const GO_ON = 'The same command goes on from here.'

/** Imports, compares, or undoes an import. */
export async function run(typed: Typed): Promise<void> {
  const number = typed.text('rollback')
  const from = typed.text('from')
  if (number !== undefined) {
    if (!/^[1-9]\d{0,8}$/.test(number)) throw new UsageError('--rollback: must be the number of a migration')
    if (from !== undefined) throw new UsageError('say --from or --rollback')
    return withTarget(target => interruptible(GO_ON, signal => undo(target, typed, Number(number), signal)))
  }
  if (from === undefined) throw new UsageError('--from is required')
  const files = await findFiles(from)
  const source = resolve(from)
  const report = typed.text('report') ?? 'migration-report.json'
  await withTarget(async target => {
    const isOnlyCompared = typed.has('verify') && !typed.has('apply')
    if (isOnlyCompared) console.error(`Comparing with ${target.description}: nothing is written there.`)
    const apply = !isOnlyCompared && (await mayWrite(target, typed))
    await interruptible(GO_ON, async signal => {
      if (!isOnlyCompared) await migrate(typed, { files, source, apply, signal })
      if (typed.has('verify')) await verify(files, { source, report, signal })
    })
  })
}

interface Work {
  files: readonly SourceFile[]
  source: string
  apply: boolean
  signal: AbortSignal
}

async function migrate(typed: Typed, work: Work): Promise<void> {
  const salvage = typed.has('salvage')
  await check(work, salvage)
  const unfinished = work.apply ? await goOn(typed.has('take-over')) : undefined
  const { tallies, migration } = await importAll({ ...work, salvage, unfinished, now: new Date() })
  console.log(tallyTable(tallies))
  if (migration) console.error(`Migration ${migration._id} is done. --rollback ${migration._id} undoes it.`)
  else if (work.apply) console.error('Everything was there already: nothing is changed.')
  const failed = Object.values(tallies).reduce((sum, tally) => sum + tally.failed, 0)
  if (failed > 0) throw new Error(`${failed} row${failed === 1 ? '' : 's'} could not be imported`)
}

/** Reads all files before anything is written. */
async function check({ files, signal }: Work, salvage: boolean): Promise<void> {
  const progress = startProgress('rows read')
  const faults: string[] = []
  try {
    let before = 0
    let read = 0
    const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
    for (const file of files) {
      const [offset, seen] = [before, read]
      const fault = await checkFile(file, signal, (count, end) => {
        read = seen + count
        progress.report(read, (offset + end) / bytes)
      })
      if (fault) faults.push(fault.message)
      before += file.sizeBytes
    }
  } finally {
    progress.end()
  }
  if (faults.length === 0) return
  if (!salvage)
    throw new Error(`${faults.join('\n')}\nNothing is imported: --salvage imports what precedes the damage.`)
  for (const fault of faults) console.error(`${fault}. What precedes it is imported.`)
}

/** The migration that was interrupted, now this process's. */
async function goOn(force: boolean) {
  const last = await lastMigration()
  if (!last || last.state === 'done') return undefined
  if (last.state === 'rolling-back')
    throw new UsageError(
      `migration ${last._id} is being undone: end that with --rollback ${last._id} --apply first`,
    )
  await takeOver(last, 'running', force)
  console.error(`Going on with migration ${last._id}, begun at ${last.startedAt.toISOString()}.`)
  return last
}

async function undo(target: Target, typed: Typed, number: number, signal: AbortSignal): Promise<void> {
  const apply = await mayWrite(target, typed)
  const last = await lastMigration()
  if (last?._id !== number)
    throw new UsageError(
      last ? `the last migration is ${last._id}: only that one can be undone` : 'there is no migration',
    )
  const changed = last.state === 'rolling-back' ? 0 : await countChanged(last)
  if (changed > 0) console.error(`${changed} of its documents were changed since it began.`)
  if (!apply) return console.log(tableOf(['', 'to be deleted'], Object.entries(await countBrought(number))))
  if (changed > 0 && !typed.has('discard-changes'))
    throw new Error('to undo it all the same, and lose these changes, say --discard-changes')
  await takeOver(last, 'rolling-back', typed.has('take-over'))
  console.log(tableOf(['', 'undone'], Object.entries(await rollBack(last, signal))))
  console.error(`Migration ${number} is undone.`)
}

await runAsProgram(import.meta.url, line, run)
