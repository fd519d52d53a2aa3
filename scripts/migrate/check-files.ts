import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../dev/usage-error.js'
import type { ImportKind } from './import-kind.js'
import { CorruptFile, readRows } from './json-rows.js'
import { legacyFiles } from './legacy-files.js'

/** A file of the old store that is there, as it was when it was found. */
export interface SourceFile {
  kind: ImportKind
  path: string
  sizeBytes: number
  modifiedMs: number
}

/**
 * The files of the old store in a directory.
 *
 * @throws {UsageError} where there is none of them.
 */
export async function findFiles(directory: string): Promise<SourceFile[]> {
  const found: SourceFile[] = []
  for (const kind of legacyFiles) {
    const path = join(directory, kind.file)
    const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw new UsageError(`${path} cannot be read: ${error.code}`)
    })
    if (stats?.isFile()) found.push({ kind, path, sizeBytes: stats.size, modifiedMs: stats.mtimeMs })
  }
  const names = legacyFiles.map(({ file }) => file).join(', ')
  if (found.length === 0) throw new UsageError(`${directory} has none of ${names}`)
  return found
}

/**
 * Reads a file through, so that damage is known before anything is written. Returns what it is damaged by.
 *
 * @param report hears how many rows were read and where the last one ends, in bytes.
 */
export async function checkFile(
  { path, kind }: SourceFile,
  signal: AbortSignal,
  report: (count: number, end: number) => void,
): Promise<CorruptFile | undefined> {
  let count = 0
  try {
    for await (const rows of readRows(path, kind.list)) {
      signal.throwIfAborted()
      count += rows.length
      report(count, rows.at(-1)?.end ?? 0)
    }
    return undefined
  } catch (fault) {
    if (fault instanceof CorruptFile) return fault
    throw fault
  }
}

/**
 * @throws {Error} where the old system is still writing: what is imported would be neither its past nor its present.
 */
export async function assertUnchanged({ path, sizeBytes, modifiedMs }: SourceFile): Promise<void> {
  const { size, mtimeMs } = await stat(path)
  if (size !== sizeBytes || mtimeMs !== modifiedMs)
    throw new Error(
      `${path} was changed while it was read: stop the old system, then run the same command again`,
    )
}
