import { type Db, MongoClient } from 'mongodb'
import type { Target } from '../support/target.js'

/** For a host that is not there. One that is there and busy has the driver's own half a minute to answer. */
const SELECTION_TIMEOUT_MS = 5_000

/**
 * Works on a database over a connection of its own: the product's gives up on a server that is silent for seconds, and
 * an hour of writing is not to end there.
 *
 * @throws {Error} naming the database where it cannot be reached.
 */
export async function withConnection<T>(target: Target, work: (db: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(target.uri, {
    appName: 'leadline',
    serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS,
    writeConcern: { w: 'majority', journal: true },
  })
  try {
    await client.connect().catch((error: Error) => {
      throw new Error(`${target.description} cannot be reached: ${error.message.split('\n', 1)[0]}`)
    })
    return await work(client.db(target.databaseName))
  } finally {
    await client.close()
  }
}
