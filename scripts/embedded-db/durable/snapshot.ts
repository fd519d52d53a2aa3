import { type FileHandle, open } from 'node:fs/promises'
import { encode } from '../codec.js'
import type { Store } from '../store.js'
import { type Doc, field } from '../values.js'
import { type Change, encodeChange } from './change.js'
import { encodeFrame, readFrames } from './frames.js'
import { applyChanges } from './records.js'

const CHUNK_BYTES = 1024 * 1024
const END = encode({ end: true })

/** A collection as it was at one moment. Documents are never changed in place, so that holding them is enough. */
interface Captured {
  namespace: string
  indexes: Doc[]
  documents: Doc[]
}

export function capture(store: Store): Captured[] {
  return store.collections().map(({ namespace, indexes, entries }) => ({
    namespace,
    indexes: [...indexes.values()].map(({ spec }) => spec.document).filter(isOwnIndex),
    documents: Array.from(entries.values(), ({ document }) => document),
  }))
}

/** Writes a snapshot to its last byte and syncs it; gives its size. Lets others work between two chunks. */
export async function writeSnapshot(path: string, collections: readonly Captured[]): Promise<number> {
  const file = await open(path, 'w')
  let length = 0
  const write = async (parts: Uint8Array[]) => {
    const frame = encodeFrame(parts)
    await file.writeFile(frame)
    length += frame.length
  }
  try {
    for (const { namespace: ns, indexes, documents } of collections) {
      const made: Change[] = [
        { op: 'create', ns },
        { op: 'createIndexes', ns, indexes },
      ]
      await write(made.flatMap(encodeChange))
      for (let at = 0; at < documents.length; ) {
        const chunk: Uint8Array[] = []
        for (let bytes = 0; bytes < CHUNK_BYTES && at < documents.length; at++) {
          const encoded = encode(documents[at] as Doc)
          bytes += encoded.length
          chunk.push(encoded)
        }
        await write(encodeChange({ op: 'put', ns, documents: chunk }))
      }
    }
    await write([END])
    await file.sync()
    return length
  } finally {
    await file.close()
  }
}

/** Loads a snapshot; gives its size. Throws where it is not whole, for it was renamed into place only when it was. */
export async function readSnapshot(file: FileHandle, path: string, store: Store): Promise<number> {
  let length = 0
  for await (const { payload, end } of readFrames(file)) {
    if (payload.equals(END)) return end
    applyChanges(store, payload)
    length = end
  }
  throw new Error(`${path} is damaged after ${length} bytes; restore the directory from a copy`)
}

function isOwnIndex(document: Doc): boolean {
  return field(document, 'name') !== '_id_'
}
