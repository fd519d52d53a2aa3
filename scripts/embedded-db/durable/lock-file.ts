import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A directory that another process has, or this one already. */
export class DirectoryInUse extends Error {
  override readonly name = 'DirectoryInUse'

  constructor(directory: string, pid: number) {
    super(
      `${directory} is in use by process ${pid}: one process a directory. Stop that one, or choose another directory`,
    )
  }
}

interface Holder {
  pid: number
  /** When the process started, so that another process with a used-again pid is not taken for it. */
  started: string
}

/** What this process holds; a lock with our pid that is not here was left by a process before us. */
const held = new Set<string>()

/**
 * Takes a directory for this process and gives back what releases it. A lock left by a process that is gone is taken
 * over.
 *
 * @throws {DirectoryInUse} naming the process that has it.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock')
  if (held.has(path)) throw new DirectoryInUse(directory, process.pid)
  held.add(path)
  try {
    await take(directory, path)
  } catch (error) {
    held.delete(path)
    throw error
  }
  return async () => {
    await rm(path, { force: true })
    held.delete(path)
  }
}

async function take(directory: string, path: string): Promise<void> {
  const own = `${path}.${process.pid}`
  await writeFile(own, JSON.stringify({ pid: process.pid, started: await startOf(process.pid) }))
  try {
    for (;;) {
      // A link is made whole or not at all, and never over a file that is there.
      if (await link(own, path).then(() => true, isThere)) return
      const holder = await readHolder(path)
      if (holder && (await isRunning(holder))) throw new DirectoryInUse(directory, holder.pid)
      await moveAside(path, `${path}.stale.${process.pid}`, holder)
    }
  } finally {
    await rm(own, { force: true })
  }
}

function isThere(error: NodeJS.ErrnoException): false {
  if (error.code === 'EEXIST') return false
  throw error
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

/** Takes a stale lock away, unless somebody else did so just before and has put their own in its place. */
async function moveAside(path: string, aside: string, stale: Holder | undefined): Promise<void> {
  await rename(path, aside).catch(() => {})
  const moved = await readHolder(aside)
  if (moved && (moved.pid !== stale?.pid || moved.started !== stale.started)) {
    await link(aside, path).catch(() => {})
  }
  await rm(aside, { force: true })
}

async function isRunning({ pid, started }: Holder): Promise<boolean> {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return (await startOf(pid)) === started
}

/** Boot and start time of a process where the system tells them (Linux), else nothing. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    // The process's name stands in parentheses and may contain anything; the start time is the 20th field after it.
    return `${boot.trim()} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return ''
  }
}
