import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, MongoClient } from 'mongodb'
import { withDatabaseName } from '../scripts/support/database-uri.js'
import { type Host, hostsOf, memberHosts } from '../scripts/support/hosts.js'
import { startWorker } from './processes.js'
import type { EmbeddedDatabaseMethods } from './servers/embedded-database.js'

const SELECTION_TIMEOUT_MS = 3_000
/** 100,000 leads are held in memory, and six million keys of each search. */
const EMBEDDED_NODE_OPTIONS = ['--max-old-space-size=8192']

/** Names what a run keeps, and what the next one finds. */
const KEPT_PREFIX = 'leadline-bench-kept'
/** The collection that says that a database has everything it is to have. */
const FILLED = 'benchfilled'

/** One database of a run. */
export interface BenchDatabase {
  uri: string
  db: Db
}

/** The deployment that a run measures against. */
export interface Deployment {
  /** What it is, for people to read. No credentials. */
  engine: string
  embedded: boolean
  /** A new and empty database, dropped with the run. */
  create(purpose: string): BenchDatabase
  /**
   * A database that is filled once and then only read: every scenario of the run shares it, and where databases are
   * kept every later run too.
   */
  filled(purpose: string, fill: (database: BenchDatabase) => Promise<void>): Promise<BenchDatabase>
  drop(database: BenchDatabase): Promise<void>
  /** Drops every database of the run, and ends the embedded one. */
  close(): Promise<void>
}

/**
 * Connects to the deployment of a URI, or starts the embedded database in a process of its own.
 *
 * @throws {Error} for a deployment on another machine, unless `allowRemote`; where it does not answer.
 */
export async function openDeployment(options: {
  root: string
  uri: string | undefined
  allowRemote: boolean
  /** Leave filled databases for the next run. */
  keep: boolean
}): Promise<Deployment> {
  const embedded = options.uri === undefined ? await startEmbedded(options.root) : undefined
  const uri = options.uri ?? embedded?.uri ?? ''
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS })
  const prefix = `leadline-bench-${randomBytes(4).toString('hex')}`
  const created = new Map<string, Db>()
  const filled = new Map<string, Promise<BenchDatabase>>()

  function open(name: string): BenchDatabase {
    const db = client.db(name)
    created.set(name, db)
    return { uri: withDatabaseName(uri, name), db }
  }

  async function fillOnce(purpose: string, fill: (database: BenchDatabase) => Promise<void>) {
    const database = open(`${options.keep ? KEPT_PREFIX : prefix}-${purpose}`)
    const marks = database.db.collection(FILLED)
    if ((await marks.countDocuments({}, { limit: 1 })) === 0) {
      await database.db.dropDatabase()
      await fill(database)
      await marks.insertOne({ at: new Date() })
    }
    if (options.keep) created.delete(database.db.databaseName)
    return database
  }

  async function close(): Promise<void> {
    try {
      // The embedded one goes with its directory.
      if (!embedded) for (const db of created.values()) await db.dropDatabase()
    } finally {
      await client.close()
      await embedded?.close()
    }
  }

  try {
    if (!options.allowRemote) assertLoopback(hostsOf(uri))
    await client.connect()
    if (!options.allowRemote) assertLoopback(await membersOf(client))
    const { version, gitVersion } = await client.db('admin').command({ buildInfo: 1 })
    return {
      engine: embedded
        ? 'the embedded database'
        : `MongoDB ${version} (${gitVersion}) at ${hostsOf(uri)
            .map(host => host.name)
            .join(', ')}`,
      embedded: embedded !== undefined,
      create: purpose => open(`${prefix}-${purpose}`),
      filled(purpose, fill) {
        const database = filled.get(purpose) ?? fillOnce(purpose, fill)
        filled.set(purpose, database)
        return database
      },
      async drop({ db }) {
        await db.dropDatabase()
        created.delete(db.databaseName)
      },
      close,
    }
  } catch (error) {
    await client.close()
    await embedded?.close()
    throw error
  }
}

async function startEmbedded(root: string): Promise<{ uri: string; close(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'leadline-bench-db-'))
  const worker = startWorker<EmbeddedDatabaseMethods>(root, 'bench/servers/embedded-database.js', {
    nodeOptions: EMBEDDED_NODE_OPTIONS,
  })
  const close = async () => {
    await worker.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    return { uri: await worker.call('start', directory), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The members of a replica set: a seed on this machine may belong to one whose primary is elsewhere. */
async function membersOf(client: MongoClient): Promise<Host[]> {
  const { hosts = [], passives = [] } = await client.db('admin').command({ hello: 1 })
  return client.options.directConnection ? [] : memberHosts([hosts, passives].flat())
}

function assertLoopback(hosts: readonly Host[]): void {
  const remote = hosts.find(host => !host.isLoopback)
  if (remote !== undefined)
    throw new Error(`${remote.name} is not this machine: loading it takes --allow-remote`)
}
