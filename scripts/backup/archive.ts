import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { tableOf } from '../support/table.js'
import type { Target } from '../support/target.js'
import { runTool } from './database-tools.js'
import { digestOf } from './line-files.js'
import type { BackupWork, WrittenBackup } from './write-backup.js'

const ARCHIVE = 'archive.gz'

/** Writes a backup with mongodump, as one archive. */
export async function dumpArchive(
  mongodump: string,
  source: Target,
  { collections, directory, signal }: BackupWork,
): Promise<WrittenBackup> {
  const path = join(directory, ARCHIVE)
  await runTool(mongodump, ['--gzip', `--archive=${path}`], { uri: source.uri, signal })
  await chmod(path, 0o600)
  const digest = await digestOf(path)
  return {
    contents: {
      method: 'mongodump',
      collections: collections.map(({ name }) => name),
      archive: { file: ARCHIVE, ...digest },
    },
    table: tableOf(['', 'bytes'], [[ARCHIVE, digest.bytes]]),
  }
}

/** Restores such an archive into an empty database, whatever the one was called that it is of. */
export async function restoreArchive(
  mongorestore: string,
  path: string,
  { from, target, signal }: { from: string; target: Target; signal: AbortSignal },
): Promise<void> {
  const [was, is] = [namespacesOf(from), namespacesOf(target.databaseName)]
  const names = [`--nsInclude=${was}`, `--nsFrom=${was}`, `--nsTo=${is}`]
  const args = ['--gzip', `--archive=${path}`, '--stopOnError', ...names]
  await runTool(mongorestore, args, { uri: target.uri, signal })
}

/** A database's name as a pattern of the tools' namespaces that means this name alone. */
function namespacesOf(databaseName: string): string {
  return `${databaseName.replace(/[\\*$]/g, String.raw`\$&`)}.*`
}
