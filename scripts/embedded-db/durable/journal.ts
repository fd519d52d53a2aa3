import type { FileHandle } from 'node:fs/promises'
import { CommandError } from '../errors.js'
import { encodeFrame } from './frames.js'

interface Batch {
  parts: Uint8Array[]
  undo: (() => void)[]
  done: Promise<void>
  resolve: () => void
  reject: (error: Error) => void
}

/** The file in which a journal goes on. */
interface Turn {
  file: FileHandle
  atTheTurn: () => void
  done: () => void
}

/**
 * The append-only file that makes changes durable. What comes while the disk is busy waits together, is written as one
 * frame and shares one sync. Where that fails, everything not yet durable is undone, newest first, and its writers are
 * told; the next write tries again.
 */
export class Journal {
  private waiting = newBatch()
  private writing: Batch | undefined
  private turn: Turn | undefined
  private isRunning = false
  private isTorn = false

  /** `length` is where the durable part of the file ends. */
  constructor(
    private file: FileHandle,
    public length: number,
  ) {}

  append(parts: readonly Uint8Array[], undo: () => void): void {
    this.waiting.parts.push(...parts)
    this.waiting.undo.push(undo)
    if (!this.isRunning) void this.run()
  }

  /** Fulfils when all that was appended before is durable. Rejects with OutOfDiskSpace where it had to be undone. */
  settled(): Promise<void> {
    if (this.waiting.parts.length > 0) return this.waiting.done
    return this.writing?.done ?? Promise.resolve()
  }

  /**
   * Goes on in an empty file, at a moment when nothing is half written: calls back synchronously, and what waits at
   * that moment or is appended from then on is in the new file. Fulfils when what waited is durable; rejects where it
   * was undone.
   */
  async continueIn(file: FileHandle, atTheTurn: () => void): Promise<void> {
    const old = this.file
    let settled = Promise.resolve()
    await new Promise<void>(done => {
      const turned = () => {
        atTheTurn()
        // Asked for later it might be over, and forgotten.
        settled = this.settled()
      }
      this.turn = { file, atTheTurn: turned, done }
      if (!this.isRunning) this.takeTurn()
    })
    await old.close()
    await settled
  }

  /** Closes the file once what was appended is durable or undone. */
  async close(): Promise<void> {
    await this.settled().catch(() => {})
    await this.file.close()
  }

  private async run(): Promise<void> {
    this.isRunning = true
    // Lets what the other connections have sent by now come along.
    await new Promise(setImmediate)
    while (this.waiting.parts.length > 0) {
      this.takeTurn()
      const batch = this.waiting
      this.waiting = newBatch()
      this.writing = batch
      try {
        await this.write(encodeFrame(batch.parts))
        this.writing = undefined
        batch.resolve()
      } catch (error) {
        this.writing = undefined
        this.giveUp(batch, error as NodeJS.ErrnoException)
      }
    }
    this.takeTurn()
    this.isRunning = false
  }

  private takeTurn(): void {
    if (!this.turn) return
    const { file, atTheTurn, done } = this.turn
    this.turn = undefined
    this.file = file
    this.length = 0
    this.isTorn = false
    atTheTurn()
    done()
  }

  private async write(frame: Buffer): Promise<void> {
    const { file } = this
    if (this.isTorn) await this.mend()
    this.isTorn = true
    try {
      for (let written = 0; written < frame.length; ) {
        const at = this.length + written
        const { bytesWritten } = await file.write(frame, written, frame.length - written, at)
        written += bytesWritten
      }
      await file.datasync()
    } catch (error) {
      // Else a restart could bring back what its writer has been told is undone. Nothing more is written until it
      // works.
      await this.mend().catch(() => {})
      throw error
    }
    this.isTorn = false
    this.length += frame.length
  }

  /** Cuts off what a failed write left behind the durable part. */
  private async mend(): Promise<void> {
    await this.file.truncate(this.length)
    this.isTorn = false
  }

  private giveUp(batch: Batch, cause: NodeJS.ErrnoException): void {
    const later = this.waiting
    this.waiting = newBatch()
    const error = new CommandError(
      'OutOfDiskSpace',
      `The journal could not be written, so the write was undone: ${cause.message}`,
    )
    for (const { undo, reject } of [later, batch]) {
      for (const back of undo.reverse()) back()
      reject(error)
    }
  }
}

function newBatch(): Batch {
  let resolve = () => {}
  let reject = (_: Error) => {}
  const done = new Promise<void>((fulfil, fail) => {
    resolve = fulfil
    reject = fail
  })
  // A batch may be one that nobody waits for.
  done.catch(() => {})
  return { parts: [], undo: [], done, resolve, reject }
}
