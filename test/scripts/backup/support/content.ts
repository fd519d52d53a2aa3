import { createHash } from 'node:crypto'
import { BSON, type Db, type Document } from 'mongodb'
import { listCollections } from '../../../../scripts/backup/list-collections.js'

const { EJSON } = BSON

/** What a database holds, to be compared: the bytes of every document in order, options and indexes. */
export async function contentOf(db: Db): Promise<Record<string, unknown>> {
  const listed = await listCollections(db)
  const entries = listed.map(async ({ name, options = {} }) => {
    const collection = db.collection(name)
    const digest = createHash('sha256')
    let documents = 0
    const stored = collection.find(
      {},
      { raw: true, sort: { _id: 1 } },
    ) as unknown as AsyncIterable<Uint8Array>
    for await (const bytes of stored) {
      digest.update(bytes)
      documents++
    }
    const indexes: Document[] = await collection.listIndexes({ promoteValues: false }).toArray()
    return [name, { documents, sha256: digest.digest('hex'), options, indexes: indexes.map(shown).sort() }]
  })
  return Object.fromEntries(await Promise.all(entries))
}

/** An index without what each kind of server adds of its own. Keys keep their order; the options have none. */
function shown({ key, name, v: _, storageEngine: __, ...options }: Document): string {
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))
  return EJSON.stringify([name, Object.entries(key), sorted], { relaxed: false })
}
