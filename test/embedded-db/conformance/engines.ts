import { MongoClient } from 'mongodb'
import { startEmbeddedDb } from '../../../scripts/embedded-db/index.js'
import { testDatabase } from '../../support/database.js'

/** A database under the suite. */
export interface Engine {
  kind: 'embedded' | 'documentdb' | 'mongod'
  client: MongoClient
  /** Closes the client, and ends the server where the suite started it. */
  stop(): Promise<void>
}

/** The embedded database, in memory. */
export async function embeddedEngine(): Promise<Engine> {
  const server = await startEmbeddedDb()
  const client = new MongoClient(server.uri)
  return {
    kind: 'embedded',
    client,
    async stop() {
      await client.close()
      await server.close()
    },
  }
}

/** The real engine that this run of the tests has, to compare with; null where it has an embedded database too. */
export async function realEngine(): Promise<Engine | null> {
  const { client } = testDatabase()
  const { gitVersion } = await client.db('admin').command({ buildInfo: 1 })
  if (gitVersion === 'embedded') {
    await client.close()
    return null
  }
  return {
    kind: gitVersion === 'documentdb' ? 'documentdb' : 'mongod',
    client,
    stop: () => client.close(),
  }
}
