import { type Change, encodeChange } from './durable/change.js'
import type { Value } from './values.js'

/** Gathers the changes of one command, to go to the journal as one, with what would undo them. */
export class ChangeLog {
  private parts: Uint8Array[] = []
  private undo: (() => void)[] = []
  private puts: { ns: string; documents: Uint8Array[] } | undefined

  put(ns: string, document: Uint8Array, undo: () => void): void {
    this.undo.push(undo)
    if (this.puts?.ns === ns) this.puts.documents.push(document)
    else {
      this.flushPuts()
      this.puts = { ns, documents: [document] }
    }
  }

  remove(ns: string, id: Value, undo: () => void): void {
    this.note({ op: 'remove', ns, ids: [id] }, undo)
  }

  note(change: Change, undo: () => void): void {
    this.undo.push(undo)
    this.flushPuts()
    this.parts.push(...encodeChange(change))
  }

  /** What has been gathered since the last time; undefined if nothing has. */
  take(): { parts: Uint8Array[]; undo: () => void } | undefined {
    this.flushPuts()
    const { parts, undo } = this
    if (parts.length === 0) return undefined
    this.parts = []
    this.undo = []
    return {
      parts,
      undo: () => {
        for (const back of undo.reverse()) back()
      },
    }
  }

  /** Documents put into one collection one after the other share a header. */
  private flushPuts(): void {
    if (this.puts) this.parts.push(...encodeChange({ op: 'put', ...this.puts }))
    this.puts = undefined
  }
}
