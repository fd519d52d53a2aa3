import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ChangeLog } from '../change-log.js'
import { Store } from '../store.js'
import { hasFrameAfter, readFrames } from './frames.js'
import { Journal } from './journal.js'
import { lockDirectory } from './lock-file.js'
import { applyChanges } from './records.js'
import { capture, readSnapshot, writeSnapshot } from './snapshot.js'

interface StorageOptions {
  directory: string
  /** The journal is rolled into a snapshot when it is longer than this, and than the last snapshot. */
  compactAfterBytes?: number
}

const COMPACT_AFTER_BYTES = 32 * 1024 * 1024

/**
 * A store that a directory keeps: `snapshot-<n>` holds everything from before `journal-<n>`, and the journals from
 * there on hold the rest. One process has the directory at a time.
 */
export class Storage {
  private compacting: Promise<void> | undefined
  private closed = false

  private constructor(
    private readonly directory: string,
    readonly store: Store,
    private readonly changes: ChangeLog,
    private readonly journal: Journal,
    private readonly release: () => Promise<void>,
    private generation: number,
    private snapshotBytes: number,
    private readonly compactAfterBytes: number,
  ) {}

  /**
   * Opens a directory, made if need be, and brings back what was acknowledged. Throws where it is in use or damaged.
   */
  static async open({
    directory,
    compactAfterBytes = COMPACT_AFTER_BYTES,
  }: StorageOptions): Promise<Storage> {
    await mkdir(directory, { recursive: true })
    const release = await lockDirectory(directory)
    try {
      const changes = new ChangeLog()
      const store = new Store(changes)
      const { generation, length, snapshotBytes } = await restore(directory, store)
      const file = await open(join(directory, `journal-${generation}`), 'r+')
      const journal = new Journal(file, length)
      return new Storage(
        directory,
        store,
        changes,
        journal,
        release,
        generation,
        snapshotBytes,
        compactAfterBytes,
      )
    } catch (error) {
      await release()
      throw error
    }
  }

  /** Hands what the command before has changed to the journal. */
  commit(): void {
    const taken = this.changes.take()
    if (!taken) return
    this.journal.append(taken.parts, taken.undo)
    const limit = Math.max(this.compactAfterBytes, this.snapshotBytes)
    if (this.journal.length > limit) void this.compact()
  }

  /** Fulfils when everything handed over before is durable; rejects where it was undone. */
  durable(): Promise<void> {
    return this.journal.settled()
  }

  /** Rolls everything so far into a snapshot and begins a new journal. A failure leaves the old files in charge. */
  compact(): Promise<void> {
    this.compacting ??= this.rollOver()
      .catch((error: Error) => {
        // Not fatal: all is in the journals, and the next write past the limit tries again.
        if (!this.closed) console.warn(`The database could not be compacted: ${error.message}`)
      })
      .finally(() => {
        this.compacting = undefined
      })
    return this.compacting
  }

  async close(): Promise<void> {
    this.closed = true
    await this.compacting
    await this.journal.close()
    await this.release()
  }

  private async rollOver(): Promise<void> {
    const generation = this.generation + 1
    const file = await createJournal(this.directory, generation)
    let captured: ReturnType<typeof capture> = []
    // What was captured but not yet durable must not outlive its being undone: that is a failure of this.
    await this.journal.continueIn(file, () => {
      this.generation = generation
      captured = capture(this.store)
    })
    const path = join(this.directory, `snapshot-${generation}`)
    try {
      this.snapshotBytes = await writeSnapshot(`${path}.tmp`, captured)
      await rename(`${path}.tmp`, path)
    } finally {
      await rm(`${path}.tmp`, { force: true })
    }
    await syncDirectory(this.directory)
    await removeOlder(this.directory, generation)
  }
}

interface Restored {
  generation: number
  /** Where the last journal's durable part ends. */
  length: number
  snapshotBytes: number
}

async function restore(directory: string, store: Store): Promise<Restored> {
  const names = await readdir(directory)
  for (const name of names.filter(name => name.endsWith('.tmp'))) await rm(join(directory, name))
  const snapshot = Math.max(-1, ...generationsOf(names, 'snapshot'))
  const journals = generationsOf(names, 'journal').filter(generation => generation >= snapshot)
  let snapshotBytes = 0
  if (snapshot >= 0) {
    const path = join(directory, `snapshot-${snapshot}`)
    const file = await open(path, 'r')
    try {
      snapshotBytes = await readSnapshot(file, path, store)
    } finally {
      await file.close()
    }
  }
  const paths = journals.map(generation => join(directory, `journal-${generation}`))
  // A crash during a compaction leaves the journal that was to be next, with nothing in it yet.
  const sizes = await Promise.all(paths.map(async path => (await stat(path)).size))
  const lastWritten = sizes.findLastIndex(size => size > 0)
  let length = 0
  for (const [i, path] of paths.entries()) length = await replay(path, store, i >= lastWritten)
  store.finishRestore()
  const last = journals.at(-1)
  if (last !== undefined) return { generation: last, length, snapshotBytes }
  const generation = Math.max(0, snapshot)
  await (await createJournal(directory, generation)).close()
  return { generation, length: 0, snapshotBytes }
}

/**
 * Makes the changes of a journal again and gives the length of what is whole. Only the last one with anything in it may
 * have a torn end.
 */
async function replay(path: string, store: Store, mayBeTorn: boolean): Promise<number> {
  const file = await open(path, 'r+')
  try {
    let length = 0
    for await (const { payload, end } of readFrames(file)) {
      applyChanges(store, payload)
      length = end
    }
    const { size } = await file.stat()
    if (size === length) return length
    if (!mayBeTorn || (await hasFrameAfter(file, length))) {
      throw new Error(
        `${path} is damaged at byte ${length}, with whole changes behind; restore the directory from a copy`,
      )
    }
    console.warn(`${path}: cut ${size - length} bytes of a write that a crash left unfinished`)
    await file.truncate(length)
    await file.sync()
    return length
  } finally {
    await file.close()
  }
}

async function createJournal(directory: string, generation: number) {
  const file = await open(join(directory, `journal-${generation}`), 'w+')
  await file.sync()
  await syncDirectory(directory)
  return file
}

function generationsOf(names: readonly string[], kind: string): number[] {
  return names
    .flatMap(name => (name.startsWith(`${kind}-`) ? [Number(name.slice(kind.length + 1))] : []))
    .filter(Number.isInteger)
    .sort((one, other) => one - other)
}

async function removeOlder(directory: string, generation: number): Promise<void> {
  const names = await readdir(directory)
  for (const kind of ['snapshot', 'journal']) {
    for (const old of generationsOf(names, kind)) {
      if (old < generation) await rm(join(directory, `${kind}-${old}`), { force: true })
    }
  }
}

/** A name in a directory is durable only when the directory is; Windows has no such thing and sees to it itself. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
