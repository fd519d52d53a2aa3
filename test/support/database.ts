import { type Db, MongoClient } from 'mongodb'
import { inject } from 'vitest'
import { allCollections } from '../../lib/domain/registry.js'
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

// The driver would wait half a minute in each test for a database that went away during the run.
const SERVER_SELECTION_TIMEOUT_MS = 10_000

let opened: TestDatabase | undefined

/** The database that belongs to this worker alone. Connects with the first operation. */
export function testDatabase(): TestDatabase {
  if (opened) return opened
  const server = inject('databaseServer')
  const { name, uri } = workerDatabase(server)
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS })
  opened = { uri, name, client, db: client.db(name), kind: server.kind }
  return opened
}

let indexed: Promise<void> | undefined

/**
 * Deletes every document of this worker's database and keeps collections and indexes; the first call of a test
 * file also creates the product's indexes. For `beforeEach`: a file finds what the one before it left.
 */
export async function emptyDatabase(): Promise<void> {
  const { db } = testDatabase()
  indexed ??= createIndexes(db)
  await indexed
  await deleteAllDocuments(db)
}

/**
 * Deletes every document of a database.
 *
 * @throws {Error} when this run did not make up the database's name.
 */
export async function deleteAllDocuments(db: Db): Promise<void> {
  if (!isDatabaseOf(inject('databaseServer').runId, db.databaseName)) {
    throw new Error(`'${db.databaseName}' is not a database of this test run: it is not emptied`)
  }
  const collections = await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray()
  const own = collections.filter(({ name }) => !name.startsWith('system.'))
  await Promise.all(own.map(({ name }) => db.collection(name).deleteMany({})))
}

// Not by the collections' own ensureIndexes(): a test may count what the product's first use of a collection does.
async function createIndexes(db: Db): Promise<void> {
  const withIndexes = allCollections.filter(({ indexes }) => indexes.length > 0)
  await Promise.all(
    withIndexes.map(({ name, indexes }) =>
      db.collection(name).createIndexes(indexes.map(index => ({ ...index }))),
    ),
  )
}

/** Whether this worker's database is DocumentDB, which stands in for a mongod where none can be had. */
export async function isDocumentDb(): Promise<boolean> {
  const { gitVersion } = await testDatabase().client.db('admin').command({ buildInfo: 1 })
  return gitVersion === 'documentdb'
}

/**
 * Options of a test whose first writes of one document come at once. How DocumentDB checks a unique index lets these
 * wait for each other in a circle, which it ends after a second and which may begin anew: of 300 rounds of four
 * upserts one or two go on for longer than any client repeats them.
 */
export async function firstWritesAtOnce(): Promise<{ retry?: number; timeout?: number }> {
  return (await isDocumentDb()) ? { retry: 3, timeout: 120_000 } : {}
}
