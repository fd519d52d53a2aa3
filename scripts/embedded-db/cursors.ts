import { randomBytes } from 'node:crypto'
import { Long } from 'mongodb'
import { MAX_DOCUMENT_BYTES } from './documents.js'
import { CommandError } from './errors.js'
import type { Doc } from './values.js'

/** A document of a result with its size in bytes, by which batches are cut. */
export interface Result {
  document: Doc
  bytes: number
}

interface Cursor {
  namespace: string
  results: Iterator<Result>
  /** A result that did not fit the last batch. */
  kept: Result | undefined
  lastUsed: number
}

const FIRST_BATCH = 101
const IDLE_MILLISECONDS = 10 * 60_000

/** The open cursors. One that nobody asks for ten minutes is closed. */
export class Cursors {
  private readonly open = new Map<string, Cursor>()

  /** The reply to the command that opens a cursor: a first batch, and an id other than 0 if there may be more. */
  start(namespace: string, results: Iterator<Result>, batchSize = FIRST_BATCH, single = false): object {
    const cursor: Cursor = { namespace, results, kept: undefined, lastUsed: Date.now() }
    const { batch, done } = nextBatch(cursor, batchSize)
    const id = done || single ? Long.ZERO : this.register(cursor)
    return { cursor: { firstBatch: batch, id, ns: namespace }, ok: 1 }
  }

  /** The next batch. Throws CursorNotFound (43), also where the namespace is another. */
  more(id: Long, namespace: string, batchSize: number | undefined): object {
    const cursor = this.open.get(id.toString())
    if (cursor?.namespace !== namespace) throw new CommandError('CursorNotFound', `cursor id ${id} not found`)
    cursor.lastUsed = Date.now()
    let outcome: { batch: Doc[]; done: boolean }
    try {
      outcome = nextBatch(cursor, batchSize || Number.POSITIVE_INFINITY)
    } catch (error) {
      this.open.delete(id.toString())
      throw error
    }
    if (outcome.done) this.open.delete(id.toString())
    return { cursor: { nextBatch: outcome.batch, id: outcome.done ? Long.ZERO : id, ns: namespace }, ok: 1 }
  }

  kill(ids: Long[]): object {
    const killed = ids.filter(id => this.open.delete(id.toString()))
    const missing = ids.filter(id => !killed.includes(id))
    return { cursorsKilled: killed, cursorsNotFound: missing, cursorsAlive: [], cursorsUnknown: [], ok: 1 }
  }

  /** Closes what reads a namespace that is no more. */
  closeWhere(isGone: (namespace: string) => boolean): void {
    for (const [id, { namespace }] of this.open) if (isGone(namespace)) this.open.delete(id)
  }

  expire(now = Date.now()): void {
    for (const [id, { lastUsed }] of this.open) if (now - lastUsed > IDLE_MILLISECONDS) this.open.delete(id)
  }

  private register(cursor: Cursor): Long {
    const id = Long.fromBytesLE([...randomBytes(7), 0]).or(1)
    this.open.set(id.toString(), cursor)
    return id
  }
}

function nextBatch(cursor: Cursor, batchSize: number): { batch: Doc[]; done: boolean } {
  const batch: Doc[] = []
  let bytes = 0
  while (batch.length < batchSize) {
    const next = cursor.kept ?? take(cursor.results)
    if (!next) return { batch, done: true }
    if (batch.length > 0 && bytes + next.bytes > MAX_DOCUMENT_BYTES) {
      cursor.kept = next
      return { batch, done: false }
    }
    cursor.kept = undefined
    bytes += next.bytes
    batch.push(next.document)
  }
  return { batch, done: false }
}

function take(results: Iterator<Result>): Result | undefined {
  const { value, done } = results.next()
  return done ? undefined : value
}
