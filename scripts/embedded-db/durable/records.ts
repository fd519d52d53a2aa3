import type { Int32 } from 'mongodb'
import { decode, splitDocuments } from '../codec.js'
import type { Collection } from '../collection.js'
import { readIndexSpec } from '../index-spec.js'
import type { Store } from '../store.js'
import { type Doc, type Maybe, plain, toNumber, type Value } from '../values.js'

/**
 * Makes the changes of one frame again. Documents and indexes are put in place without a look at each other: what was
 * acknowledged held together at the end, and the indexes are filled then (see `Store.finishRestore`).
 */
export function applyChanges(store: Store, payload: Buffer): void {
  const documents = splitDocuments(payload)
  for (let at = 0; at < documents.length; ) {
    const { op, ns, count, ids, indexes, names } = plain(decode(documents[at++] as Uint8Array))
    const namespace = String(ns)
    if (op === 'put') {
      const collection = store.at(namespace)
      const end = at + toNumber(count as Int32)
      for (; at < end; at++) restore(collection, documents[at])
    } else if (op === 'remove') for (const id of listOf(ids)) store.at(namespace).forget(id)
    else if (op === 'create') store.at(namespace)
    else if (op === 'drop') store.dropNamespace(namespace)
    else if (op === 'createIndexes') {
      for (const index of listOf(indexes)) store.at(namespace).declareIndex(readIndexSpec(index as Doc))
    } else if (op === 'dropIndexes') {
      for (const name of listOf(names)) store.at(namespace).indexes.delete(String(name))
    } else
      throw new Error(`the data directory holds a change '${String(op)}', which this version does not know`)
  }
}

function restore(collection: Collection, bytes: Uint8Array | undefined): void {
  if (!bytes) throw new Error('the data directory holds a change that names more documents than it has')
  collection.restore(decode(bytes), bytes.length)
}

function listOf(value: Maybe): Value[] {
  return Array.isArray(value) ? value : []
}
