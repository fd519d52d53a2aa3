import { Int32 } from 'mongodb'
import { encode } from '../codec.js'
import type { Doc, Value } from '../values.js'

/** One change as the journal and the snapshot hold it; of a `put`, the documents follow as they are. */
export type Change =
  | { op: 'put'; ns: string; documents: Uint8Array[] }
  | { op: 'remove'; ns: string; ids: Value[] }
  | { op: 'create' | 'drop'; ns: string }
  | { op: 'createIndexes'; ns: string; indexes: Doc[] }
  | { op: 'dropIndexes'; ns: string; names: string[] }

export function encodeChange(change: Change): Uint8Array[] {
  if (change.op !== 'put') return [encode(change)]
  const { op, ns, documents } = change
  return [encode({ op, ns, count: new Int32(documents.length) }), ...documents]
}
