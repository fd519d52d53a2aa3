import { z } from 'zod'
import { dumpArchive } from './backup/archive.js'
import { withConnection } from './backup/connection.js'
import { copyDatabase } from './backup/copy.js'
import { findTool } from './backup/database-tools.js'
import { readDestination, TO_FLAG } from './backup/destination.js'
import { writeManifest } from './backup/manifest.js'
import { makeWhole } from './backup/partial-directory.js'
import { storedCollections } from './backup/stored-collections.js'
import { assertWhole } from './backup/unfinished-restore.js'
import { writeBackup } from './backup/write-backup.js'
import { UsageError } from './dev/usage-error.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { parseFlag } from './support/flags.js'
import { interruptible } from './support/interruption.js'
import { type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run backup --',
  summary:
    'Writes every collection of the database into a new directory, for npm run restore, with mongodump where it is installed; or copies them into another database.',
  flags: {
    out: { type: 'string', value: 'DIR', help: 'the directory to make; this needs no --apply' },
    with: {
      type: 'string',
      value: 'TOOL',
      help: 'mongodump (default where it is installed, but for the development database) or built-in',
    },
    ...TO_FLAG,
    drop: { type: 'boolean', help: 'with --to: drop the collections there that are copied' },
    ...WRITE_FLAGS,
  },
}

const Tool = z.enum(['mongodump', 'built-in'])
type Tool = z.infer<typeof Tool>

/** Writes a backup, or copies the database. */
export async function run(typed: Typed): Promise<void> {
  const out = typed.text('out')
  const tool = parseFlag(Tool.optional(), 'with', typed.text('with'))
  const destination = await readDestination(typed)
  if (destination && out === undefined) return withTarget(source => copyDatabase(source, destination, typed))
  if (destination || out === undefined) throw new UsageError('say --out DIR or --to URI')
  await withTarget(source => backUp(source, out, tool))
}

async function backUp(source: Target, out: string, tool: Tool | undefined): Promise<void> {
  const startedAt = new Date().toISOString()
  console.error(`Backing up ${source.description}.`)
  const table = await withConnection(source, async db => {
    await assertWhole(db)
    const server = await db.admin().command({ buildInfo: 1 })
    const mongodump = await chooseMongodump(tool, server.gitVersion === 'embedded')
    const { collections, skipped } = await storedCollections(db)
    if (skipped.length > 0) console.error(`Not backed up, being views or time series: ${skipped.join(', ')}.`)
    return interruptible('Nothing is kept: the same command begins anew.', signal =>
      makeWhole(out, async directory => {
        const work = { collections, directory, signal }
        const { contents, table } = await (mongodump
          ? dumpArchive(mongodump, source, work)
          : writeBackup(work))
        const finishedAt = new Date().toISOString()
        const [name, version] = [source.databaseName, String(server.version)]
        await writeManifest(directory, { database: name, server: version, startedAt, finishedAt, contents })
        return table
      }),
    )
  })
  console.log(table)
  console.error(`The backup is in ${out}.`)
}

/** Where mongodump is, if it is to write the backup. It asks for more than the development database knows. */
async function chooseMongodump(tool: Tool | undefined, isEmbedded: boolean): Promise<string | undefined> {
  if (tool === 'built-in' || (tool === undefined && isEmbedded)) return undefined
  const mongodump = await findTool('mongodump')
  if (tool === 'mongodump' && !mongodump) throw new UsageError('mongodump is not installed')
  return mongodump
}

await runAsProgram(import.meta.url, line, run)
