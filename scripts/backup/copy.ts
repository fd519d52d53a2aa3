import { UsageError } from '../dev/usage-error.js'
import type { Typed } from '../support/command.js'
import { mayWrite, type Target } from '../support/target.js'
import { withConnection } from './connection.js'
import { fillFrom } from './fill.js'
import { type StoredCollection, storedCollections } from './stored-collections.js'
import { documentOf } from './stored-documents.js'
import { assertWhole, isSameDatabase } from './unfinished-restore.js'
import type { CollectionSource } from './write-collections.js'

/**
 * Copies every collection into another database, with nothing on disk in between.
 *
 * @throws {UsageError} where the two are one database, or there are documents that may not be dropped.
 */
export async function copyDatabase(source: Target, destination: Target, typed: Typed): Promise<void> {
  console.error(`Copying ${source.description}.`)
  const apply = await mayWrite(destination, typed, typed.has('drop'))
  await withConnection(source, async db => {
    await assertWhole(db)
    const { collections, skipped } = await storedCollections(db)
    if (skipped.length > 0) console.error(`Not copied, being views or time series: ${skipped.join(', ')}.`)
    const counts = new Map(collections.map(({ name, estimate }) => [name, estimate]))
    await withConnection(destination, async to => {
      // Before anything is dropped there: an address may be spelt in many ways.
      if (apply && (await isSameDatabase(to, db))) throw new UsageError('--to is the database that is copied')
      const filling = { db: to, target: destination, typed, apply }
      await fillFrom(filling, collections.map(sourceOf), counts)
    })
  })
}

function sourceOf(collection: StoredCollection): CollectionSource {
  const { name, options } = collection
  return {
    name,
    options,
    async *documents() {
      for await (const bytes of collection.documents())
        yield { document: documentOf(bytes), bytes: bytes.length }
    },
    indexes: async () => (await collection.indexes()).map(documentOf),
  }
}
