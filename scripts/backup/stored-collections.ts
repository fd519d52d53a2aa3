import type { Db, Document } from 'mongodb'
import { listCollections } from './list-collections.js'
import { documentOf } from './stored-documents.js'

/** A collection as it is read for a backup or a copy: every document and index as the bytes that are stored. */
export interface StoredCollection {
  name: string
  /** As `create` takes them. */
  options: Document
  /** About how many there are. */
  estimate: number
  /** In the order of `_id`. */
  documents(): AsyncIterable<Uint8Array>
  /** Without the one that every collection has. */
  indexes(): Promise<Uint8Array[]>
}

/** Batches by number too: a reply of 16 MB of small documents takes the driver many times that to walk through. */
const IN_ORDER = { raw: true, sort: { _id: 1 }, batchSize: 1_000 } as const

/**
 * Every collection of a database by its name, whether the product declares it or not. `skipped` are those that are
 * none of their own: views, and time series, whose buckets only MongoDB's own tools carry over.
 */
export async function storedCollections(
  db: Db,
): Promise<{ collections: StoredCollection[]; skipped: string[] }> {
  const listed = await listCollections(db)
  const skipped = listed.filter(({ type = 'collection' }) => type !== 'collection').map(({ name }) => name)
  const own = listed.filter(({ name }) => !skipped.includes(name))
  const collections = await Promise.all(
    own.map(async ({ name, options = {} }) => {
      const collection = db.collection(name)
      return {
        name,
        options,
        estimate: await collection.estimatedDocumentCount(),
        // The driver has no type for a cursor over bytes.
        documents: () => collection.find({}, IN_ORDER) as unknown as AsyncIterable<Uint8Array>,
        indexes: async () => {
          const all = await collection.listIndexes({ raw: true }).toArray()
          return (all as unknown as Uint8Array[]).filter(bytes => documentOf(bytes).name !== '_id_')
        },
      }
    }),
  )
  return { collections, skipped }
}
