import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, MongoClient } from 'mongodb'
import { startWorker } from './processes.js'
import type { EmbeddedDatabaseMethods } from './servers/embedded-database.js'

const SELECTION_TIMEOUT_MS = 3_000
/** 100,000 leads are held in memory. */
const EMBEDDED_NODE_OPTIONS = ['--max-old-space-size=4096']

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** One database of a run. */
export interface BenchDatabase {
  uri: string
  db: Db
}

/** The deployment that a run measures against. */
export interface Deployment {
  /** What it is, for people to read. No credentials. */
  engine: string
  /** A new and empty database, dropped with the run. */
  create(purpose: string): BenchDatabase
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
}): Promise<Deployment> {
  const embedded = options.uri === undefined ? await startEmbedded(options.root) : undefined
  const uri = options.uri ?? embedded?.uri ?? ''
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS })
  const prefix = `leadline-bench-${randomBytes(4).toString('hex')}`
  const created = new Map<string, Db>()

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
    if (!options.allowRemote) assertLoopback(seedsOf(client))
    await client.connect()
    if (!options.allowRemote) assertLoopback(await membersOf(client))
    const { version, gitVersion } = await client.db('admin').command({ buildInfo: 1 })
    return {
      engine: embedded
        ? 'the embedded database'
        : `MongoDB ${version} (${gitVersion}) at ${seedsOf(client).join(', ')}`,
      create(purpose) {
        const name = `${prefix}-${purpose}`
        const db = client.db(name)
        created.set(name, db)
        return { uri: withDatabaseName(uri, name), db }
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

/** The hosts of a connection string as the driver reads it. */
function seedsOf({ options }: MongoClient): string[] {
  const { hosts, srvHost, proxyHost } = options
  return [srvHost ?? hosts.map(String), proxyHost ?? []].flat()
}

/** The members of a replica set: a seed on this machine may belong to one whose primary is elsewhere. */
async function membersOf(client: MongoClient): Promise<string[]> {
  const { hosts = [], passives = [] } = await client.db('admin').command({ hello: 1 })
  return client.options.directConnection ? [] : [hosts, passives].flat()
}

/** Nothing is resolved: a name that is not `localhost` counts as another machine, a socket as this one. */
function assertLoopback(hosts: readonly string[]): void {
  const isLoopback = (host: string) => {
    const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
    return (
      name === 'localhost' ||
      host.endsWith('.sock') ||
      (isIP(name) && loopback.check(name, isIPv6(name) ? 'ipv6' : 'ipv4'))
    )
  }
  const remote = hosts.find(host => !isLoopback(host))
  if (remote !== undefined) throw new Error(`${remote} is not this machine: loading it takes --allow-remote`)
}

/** The connection string of another database on a deployment. Credentials keep being checked where they were. */
function withDatabaseName(uri: string, name: string): string {
  const [, server, database, query] = /^([^/]+:\/\/[^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(uri) ?? []
  const options = new URLSearchParams(query)
  const namesAuthSource = [...options.keys()].some(option => option.toLowerCase() === 'authsource')
  if (server?.includes('@') && !namesAuthSource)
    options.set('authSource', decodeURIComponent(database || 'admin'))
  return `${server}/${name}${options.size > 0 ? `?${options}` : ''}`
}
