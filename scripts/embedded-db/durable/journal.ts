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

/**
 * The append-only file that makes changes durable. What comes while the disk is busy waits together, is written as one
 * frame and shares one sync. Where that fails, everything not yet durable is undone, newest first, and its writers are
 * told; the next write tries again.
 */
export class Journal {
  private waiting = newBatch()
  private writing: Batch | undefined
  private running: Promise<void> | undefined
  private isTorn = false

  /** `length` is where the durable part of the file ends. */
  constructor(
    private file: FileHandle,
    public length: number,
  ) {}

  append(parts: readonly Uint8Array[], undo: () => void): void {
    this.waiting.parts.push(...parts)
    this.waiting.undo.push(undo)
    this.running ??= this.run().finally(() => {
      this.running = undefined
    })
  }

  /** Fulfils when all that was appended before is durable. Rejects with OutOfDiskSpace where it had to be undone. */
  settled(): Promise<void> {
    if (this.waiting.parts.length > 0) return this.waiting.done
    return this.writing?.done ?? Promise.resolve()
  }

  /**
   * Goes on in another file, at a moment when nothing is half written: calls back synchronously, and what is appended
   * from then on, or waits at that moment, is in the new file.
   */
  async continueIn(file: FileHandle, length: number, atTheTurn: () => void): Promise<void> {
    while (this.writing) await this.writing.done.catch(() => {})
    const old = this.file
    this.file = file
    this.length = length
    this.isTorn = false
    atTheTurn()
    await old.close()
  }

  async close(): Promise<void> {
    await this.running
    await this.file.close()
  }

  private async run(): Promise<void> {
    // Lets what the other connections have sent by now come along.
    await new Promise(setImmediate)
    while (this.waiting.parts.length > 0) {
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
  }

  private async write(frame: Buffer): Promise<void> {
    const { file } = this
    if (this.isTorn) await file.truncate(this.length)
    this.isTorn = true
    for (let written = 0; written < frame.length; ) {
      const { bytesWritten } = await file.write(frame, written, frame.length - written, this.length + written)
      written += bytesWritten
    }
    await file.datasync()
    this.isTorn = false
    this.length += frame.length
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
