import { attachDatabasePool } from '@vercel/functions'
import { type Db, MongoClient, type MongoClientOptions } from 'mongodb'
import { ConfigurationError, env } from '../env.js'
import { AppError } from '../errors.js'
import { withTimeout } from '../with-timeout.js'
import { unavailable } from './errors.js'
import { onHeartbeatHung } from './heartbeats.js'

const DEFAULT_DATABASE = 'leadline'
/** A slash in a password that is not percent-encoded makes the rest of the password the name of the database. */
const IN_NO_NAME = /[\s/\\."$@]/

/**
 * A function instance serves few requests at a time and there may be hundreds of instances: the pool is small
 * and its connections are given back soon. The selection timeout bounds what a request waits while the
 * database is away: the sum of a limiter's patience and this stays below three seconds.
 */
const ofRequests: MongoClientOptions = {
  appName: 'leadline',
  maxPoolSize: 10,
  maxIdleTimeMS: 5_000,
  waitQueueTimeoutMS: 2_000,
  serverSelectionTimeoutMS: 2_000,
  connectTimeoutMS: 2_000,
  // Nothing else ends an operation on a connection that went silent: the monitor's does, this and the connect
  // time-out after its last answer. A limit on sockets instead would cut off long work such as an index build.
  heartbeatFrequencyMS: 3_000,
  // Acknowledged means kept: by a majority of a replica set, and in the journal of a standalone mongod.
  writeConcern: { w: 'majority', journal: true },
  ignoreUndefined: true,
}

/** No request waits for a script, and an import keeps a database busy for longer than a request would wait. */
const ofScripts: MongoClientOptions = {
  ...ofRequests,
  waitQueueTimeoutMS: 60_000,
  serverSelectionTimeoutMS: 5_000,
  connectTimeoutMS: 30_000,
  heartbeatFrequencyMS: 10_000,
}

let options = ofRequests

/** Sets the time-outs of the next client of this process: those of requests unless this is called. */
export function waitForDatabaseAs(who: 'request' | 'script'): void {
  options = who === 'script' ? ofScripts : ofRequests
}

/** A symbol of the process, so that a module loaded twice (a dev reload, two bundles) still shares one client. */
const slot = Symbol.for('leadline.database')
const shared = globalThis as { [slot]?: Promise<Db> | undefined }

/**
 * The database, over the one client of this process. A failed attempt to connect is forgotten: a cold start
 * during a fail-over must not poison the instance, the next request tries again.
 *
 * @throws {AppError} `unavailable` while the database cannot be reached, `not_configured` without a URI.
 * @throws {ConfigurationError} for a URI that the driver cannot read.
 */
export function database(): Promise<Db> {
  shared[slot] ??= connect().catch(error => {
    shared[slot] = undefined
    throw error
  })
  return shared[slot]
}

/** Closes the client of this process, if there is one; the next use of the database opens another. */
export async function closeDatabase(): Promise<void> {
  const open = shared[slot]
  shared[slot] = undefined
  const db = await open?.catch(() => undefined)
  await db?.client.close()
}

async function connect(): Promise<Db> {
  const { mongoUri } = env()
  if (mongoUri === undefined)
    throw new AppError('not_configured', 'No database is configured: set MONGO_URI.')
  const name = databaseNameOf(mongoUri)
  const client = createClient(mongoUri)
  const connecting = client.connect()
  try {
    // The driver has no limit for the look-up of an SRV record: where the name server is silent, most of a minute.
    const { serverSelectionTimeoutMS, connectTimeoutMS } = client.options
    const limitMs = serverSelectionTimeoutMS + connectTimeoutMS
    if (!(await withTimeout(limitMs, connecting))) throw new Error(`No connection within ${limitMs} ms`)
  } catch (error) {
    // One that is still on its way would be open after it was closed.
    connecting.then(() => client.close()).catch(() => {})
    await client.close()
    // Whatever it was (no route, no DNS record, refused credentials), for a client the database is away.
    throw unavailable(error)
  }
  onHeartbeatHung(client, () => void closeDatabase().catch(() => {}))
  // Vercel suspends an idle instance: this lets the pool close its idle connections first.
  attachDatabasePool(client)
  return client.db(name)
}

/** Hides the driver's message for a URI that it cannot read: it quotes the URI with its password. */
function createClient(uri: string): MongoClient {
  try {
    return new MongoClient(uri, options)
  } catch {
    throw unreadable()
  }
}

function unreadable(): ConfigurationError {
  return new ConfigurationError(['MONGO_URI is not a connection string that the driver can read'])
}

/**
 * The database that a URI names; one without a name means `leadline`, not the driver's `test`.
 *
 * @throws {ConfigurationError} where no database can have the name: it may be part of a password.
 */
export function databaseNameOf(uri: string): string {
  const [, encoded = DEFAULT_DATABASE] = /^[^:]+:\/\/[^/?]+\/([^?]+)/.exec(uri) ?? []
  const name = decoded(encoded)
  if (name === undefined || IN_NO_NAME.test(name)) throw unreadable()
  return name
}

/** Undefined for a percent sign that encodes nothing. */
function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name)
  } catch {
    return undefined
  }
}
