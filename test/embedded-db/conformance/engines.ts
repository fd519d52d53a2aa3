import { MongoClient } from 'mongodb'
import { startEmbeddedDb } from '../../../scripts/embedded-db/index.js'

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

/**
 * The engine that `MONGO_URI` gives to compare with, or null: there is none, or it is an embedded database itself.
 * Refuses a host that is not loopback without `TEST_ALLOW_REMOTE=1`, for the suite creates and drops databases.
 */
export async function givenEngine(embedded: Engine): Promise<Engine | null> {
  const uri = process.env.MONGO_URI
  if (!uri) return null
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 5_000 })
  const hosts = client.options.hosts.map(address => address.host ?? '')
  const loopback = hosts.every(host => ['127.0.0.1', 'localhost', '::1'].includes(host))
  if ((!loopback || client.options.srvHost) && process.env.TEST_ALLOW_REMOTE !== '1') {
    throw new Error(
      `The suite creates and drops databases: it refuses ${hosts.join(', ')} without TEST_ALLOW_REMOTE=1`,
    )
  }
  const [given, own] = await Promise.all([buildOf(client), buildOf(embedded.client)])
  if (given === own) {
    await client.close()
    return null
  }
  return { kind: given.includes('documentdb') ? 'documentdb' : 'mongod', client, stop: () => client.close() }
}

async function buildOf(client: MongoClient): Promise<string> {
  const { version, gitVersion } = await client.db('admin').command({ buildInfo: 1 })
  return `${version} ${gitVersion}`
}
