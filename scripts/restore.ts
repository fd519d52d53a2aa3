import { join } from 'node:path'
import { restoreArchive } from './backup/archive.js'
import { withConnection } from './backup/connection.js'
import { findTool } from './backup/database-tools.js'
import { readDestination, TO_FLAG } from './backup/destination.js'
import { type Filling, fill, fillFrom } from './backup/fill.js'
import { type Contents, type Manifest, readBackup } from './backup/manifest.js'
import { sourcesOf } from './backup/read-backup.js'
import { UsageError } from './dev/usage-error.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { interruptible } from './support/interruption.js'
import { startProgress } from './support/progress.js'
import { tableOf } from './support/table.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run restore --',
  summary:
    'Writes a backup of npm run backup into an empty database, after every file of it was checked. A restore that was interrupted is begun anew by the same command.',
  flags: {
    from: { type: 'string', value: 'DIR', help: 'the backup' },
    ...TO_FLAG,
    drop: { type: 'boolean', help: 'drop the collections that the backup has; other ones stay' },
    ...WRITE_FLAGS,
  },
}

/** Checks a backup and restores it. */
export async function run(typed: Typed): Promise<void> {
  const from = typed.text('from')
  if (from === undefined) throw new UsageError('--from is required')
  const destination = await readDestination(typed)
  const manifest = await check(from)
  await withTarget(target => restore(from, manifest, target, typed), destination?.uri)
}

async function check(from: string): Promise<Manifest> {
  const progress = startProgress('bytes checked')
  try {
    return await interruptible('Nothing was written.', signal => readBackup(from, signal, progress.report))
  } finally {
    progress.end()
  }
}

async function restore(from: string, manifest: Manifest, target: Target, typed: Typed): Promise<void> {
  const { contents, database, finishedAt, server } = manifest
  console.error(`The backup is whole: ${database} of MongoDB ${server} at ${finishedAt}.`)
  const apply = await mayWrite(target, typed, typed.has('drop'))
  await withConnection(target, async db => {
    const filling = { db, target, typed, apply }
    if (contents.method === 'mongodump') await fillFromArchive(filling, from, database, contents)
    else {
      const { collections } = contents
      const counts = new Map(collections.map(({ name, documents }) => [name, documents.count]))
      await fillFrom(filling, sourcesOf(from, collections), counts)
    }
  })
}

async function fillFromArchive(
  filling: Filling,
  directory: string,
  from: string,
  { archive, collections }: Extract<Contents, { method: 'mongodump' }>,
): Promise<void> {
  const mongorestore = await findTool('mongorestore')
  if (!mongorestore)
    throw new Error(
      'this backup was written by mongodump, and mongorestore of the MongoDB Database Tools is not installed',
    )
  await fill(filling, collections, async (_, signal) => {
    await restoreArchive(mongorestore, join(directory, archive.file), {
      from,
      target: filling.target,
      signal,
    })
  })
  const rows = collections.map(name => [name])
  console.log(tableOf(['collection'], rows))
}

await runAsProgram(import.meta.url, line, run)
