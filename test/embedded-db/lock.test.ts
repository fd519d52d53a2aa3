import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { lockDirectory } from '../../scripts/embedded-db/durable/lock-file.js'
import { dataDirectory } from './support/data-directory.js'

/** A process that does nothing; gone when the test is over, if not before. */
async function sleeper() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const gone = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await gone
  })
  await once(child, 'spawn')
  return { pid: child.pid as number, kill: () => child.kill('SIGKILL') && gone }
}

async function ownStart(directory: string): Promise<string> {
  const release = await lockDirectory(directory)
  const { started } = JSON.parse(await readFile(join(directory, 'lock'), 'utf8')) as { started: string }
  await release()
  return started
}

describe('the lock of a directory', () => {
  it('is one process’s at a time, and free again when released', async () => {
    const directory = await dataDirectory()
    const release = await lockDirectory(directory)
    await expect(lockDirectory(directory)).rejects.toThrow(`in use by process ${process.pid}`)
    await release()
    await (await lockDirectory(directory))()
    expect(await readdir(directory)).toEqual([])
  })

  it('holds against a process that lives, named in the message, and not against one that is gone', async () => {
    const directory = await dataDirectory()
    const other = await sleeper()
    const started = process.platform === 'linux' ? await startOf(other.pid) : ''
    await writeFile(join(directory, 'lock'), JSON.stringify({ pid: other.pid, started }))
    await expect(lockDirectory(directory)).rejects.toThrow(
      `in use by process ${other.pid}: one process a directory`,
    )
    expect(await readdir(directory)).toEqual(['lock'])
    await other.kill()
    await (await lockDirectory(directory))()
  })

  it.runIf(process.platform === 'linux')('does not take a used-again pid for its holder', async () => {
    const directory = await dataDirectory()
    const other = await sleeper()
    const before = `${await startOf(other.pid)}0`
    await writeFile(join(directory, 'lock'), JSON.stringify({ pid: other.pid, started: before }))
    await (await lockDirectory(directory))()
  })

  it('takes a lock with its own pid for one left by a process before it', async () => {
    const directory = await dataDirectory()
    const started = await ownStart(directory)
    await writeFile(join(directory, 'lock'), JSON.stringify({ pid: process.pid, started }))
    await (await lockDirectory(directory))()
  })

  it('takes over a lock that a crash left empty', async () => {
    const directory = await dataDirectory()
    await writeFile(join(directory, 'lock'), '')
    await (await lockDirectory(directory))()
  })
})

async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
  return `${boot.trim()} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
}
