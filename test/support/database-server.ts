import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { DryMongoBinary, MongoBinary, MongoMemoryServer } from 'mongodb-memory-server'
import { hostsOf, memberHosts } from '../../scripts/support/hosts.js'
import { isDatabaseOf } from './database-name.js'
import { assertLoopback } from './loopback.js'

const MONGOD_START_TIMEOUT_MS = 10_000
const GIVEN_SERVER_TIMEOUT_MS = 3_000

/** Whose word to trust: a real MongoDB-compatible engine (`given`, `mongod`) or our own (`embedded`). */
export type DatabaseServerKind = 'given' | 'mongod' | 'embedded'

/** A running deployment for one run of the tests. */
export interface DatabaseServer {
  kind: DatabaseServerKind
  uri: string
  /** What it is and why, for the line that a run prints. No credentials. */
  description: string
  /** Leaves nothing behind: stops what the run started, drops what it created elsewhere. */
  close(): Promise<void>
}

/**
 * Finds the database that the tests run against. `TEST_DB=auto` takes `MONGO_URI`, else a mongod that is on this
 * machine, else the embedded database; `mongod` and `embedded` take only that, whatever `MONGO_URI` says.
 *
 * @throws {Error} when the one that was asked for is refused, does not answer or cannot be started.
 */
export function startDatabaseServer(runId: string, variables: NodeJS.ProcessEnv): Promise<DatabaseServer> {
  const choice = variables.TEST_DB || 'auto'
  if (choice === 'mongod') return startMongod({ download: variables.MONGOMS_DOWNLOAD === '1' })
  if (choice === 'embedded') return startEmbedded('TEST_DB=embedded')
  if (choice !== 'auto') throw new Error(`TEST_DB is '${choice}': it can be auto, mongod or embedded`)
  return variables.MONGO_URI
    ? useGiven(variables.MONGO_URI, runId, variables.TEST_ALLOW_REMOTE === '1')
    : startLocalMongodOrEmbedded()
}

async function useGiven(uri: string, runId: string, allowRemote: boolean): Promise<DatabaseServer> {
  const hosts = hostsOf(uri)
  if (!allowRemote) assertLoopback(hosts)
  const names = hosts.map(host => host.name).join(', ')
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: GIVEN_SERVER_TIMEOUT_MS })
  try {
    const hello = await client.db('admin').command({ hello: 1 })
    // A local seed may belong to a set whose primary is elsewhere, and that is where the driver would write.
    if (!allowRemote && !client.options.directConnection) {
      assertLoopback(
        memberHosts([hello.hosts, hello.passives].flat().filter(name => typeof name === 'string')),
      )
    }
  } catch (error) {
    await client.close()
    throw error instanceof Error && error.name === 'MongoServerSelectionError'
      ? new Error(`MONGO_URI was given for the tests, but ${names} does not answer`)
      : error
  }
  return {
    kind: 'given',
    uri,
    description: `${names} (given by MONGO_URI)`,
    async close() {
      const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
      const own = databases.filter(({ name }) => isDatabaseOf(runId, name))
      for (const { name } of own) await client.db(name).dropDatabase()
      await client.close()
    },
  }
}

async function startLocalMongodOrEmbedded(): Promise<DatabaseServer> {
  forbidDownload()
  try {
    const binary = await DryMongoBinary.locateBinary(await DryMongoBinary.generateOptions())
    if (binary === undefined) return startEmbedded('no MONGO_URI, no mongod on this machine')
    return await startMongod({ download: false })
  } catch (error) {
    return startEmbedded(`the mongod here does not start: ${firstLine(error)}`)
  }
}

async function startMongod({ download }: { download: boolean }): Promise<DatabaseServer> {
  if (!download) forbidDownload()
  // Comparing the version of MONGOMS_SYSTEM_BINARY runs it without a time limit, only to print a warning.
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK = 'false'
  await MongoBinary.getPath()
  const directory = await mkdtemp(join(tmpdir(), 'leadline-mongod-'))
  try {
    const server = await MongoMemoryServer.create({
      instance: { dbPath: directory, launchTimeout: MONGOD_START_TIMEOUT_MS },
    })
    const uri = server.getUri()
    return {
      kind: 'mongod',
      uri,
      description: `mongod at ${new URL(uri).host}`,
      async close() {
        await server.stop({ doCleanup: false })
        await rm(directory, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

function forbidDownload(): void {
  process.env.MONGOMS_RUNTIME_DOWNLOAD = 'false'
}

async function startEmbedded(reason: string): Promise<DatabaseServer> {
  const { startEmbeddedDb } = await import('../../scripts/embedded-db/index.js')
  // Tests write at times of their own: what is over by the real clock must not vanish under them.
  const { uri, port, close } = await startEmbeddedDb({ sweepEveryMs: 60 * 60 * 1000 })
  return { kind: 'embedded', uri, description: `embedded at 127.0.0.1:${port} (${reason})`, close }
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? message
}
