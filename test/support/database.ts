import { type Db, MongoClient } from 'mongodb'
import { inject } from 'vitest'
import { isDatabaseOf, workerDatabase } from './database-name.js'
import type { DatabaseServerKind } from './database-server.js'

/** The database of this worker, over a client of its own: the product's client stays the product's to open. */
export interface TestDatabase {
  /** With the database's name in it; what `MONGO_URI` is in a test. */
  uri: string
  name: string
  db: Db
  client: MongoClient
  kind: DatabaseServerKind
}

let opened: TestDatabase | undefined

/** The database that belongs to this worker alone. Connects with the first operation. */
export function testDatabase(): TestDatabase {
  if (opened) return opened
  const server = inject('databaseServer')
  const { name, uri } = workerDatabase(server)
  const client = new MongoClient(uri)
  opened = { uri, name, client, db: client.db(name), kind: server.kind }
  return opened
}

/**
 * Deletes every document of a test database, of this worker's by default, and keeps collections and indexes. For
 * `beforeEach`: a test file finds what the one before it left.
 *
 * @throws {Error} when this run did not make up the database's name.
 */
export async function emptyDatabase(db: Db = testDatabase().db): Promise<void> {
  if (!isDatabaseOf(inject('databaseServer').runId, db.databaseName)) {
    throw new Error(`'${db.databaseName}' is not a database of this test run: it is not emptied`)
  }
  const collections = await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray()
  const own = collections.filter(({ name }) => !name.startsWith('system.'))
  await Promise.all(own.map(({ name }) => db.collection(name).deleteMany({})))
}
