import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../dev/usage-error.js'
import { isRunning } from '../support/processes.js'

/**
 * Makes a directory that is there as a whole or not at all: `fill` writes into one beside it, which takes the name when
 * all is done, and is removed when something fails. What a killed process left beside it is removed first.
 *
 * @throws {UsageError} where something is at the path already.
 */
export async function makeWhole<T>(path: string, fill: (partial: string) => Promise<T>): Promise<T> {
  const directory = resolve(path)
  const parent = dirname(directory)
  await assertFreePath(directory)
  await mkdir(parent, { recursive: true })
  const prefix = `${basename(directory)}.partial-`
  for (const name of await readdir(parent)) {
    const [, owner] = name.startsWith(prefix) ? (/\.partial-(\d+)$/.exec(name) ?? []) : []
    if (owner !== undefined && !isRunning(Number(owner))) await rm(join(parent, name), { recursive: true })
  }
  const partial = join(parent, `${prefix}${process.pid}`)
  // Of another process that had the same id.
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  try {
    const filled = await fill(partial)
    // An empty one is replaced on some systems and in the way on others.
    await rmdir(directory).catch(() => {})
    await rename(partial, directory)
    return filled
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

async function assertFreePath(directory: string): Promise<void> {
  const entries = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new UsageError(`${directory} cannot be written: ${error.code}`)
  })
  if (entries.length > 0)
    throw new UsageError(`${directory} is not empty: name a directory that is not there yet`)
}
