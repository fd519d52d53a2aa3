import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
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
  /** One for each worker, or one for all of them. */
  uris: readonly string[]
  /** What it is and why, for the line that a run prints. No credentials. */
  description: string
  /** Leaves nothing behind: stops what the run started, drops what it created elsewhere. */
  close(): Promise<void>
}

/** What the embedded database is started from, and for how many workers. */
export interface EmbeddedOptions {
  /** Of `buildScripts()`. */
  built: string
  workers: number
}

/**
 * Finds the database that the tests run against. `TEST_DB=auto` takes `MONGO_URI`, else a mongod that is on this
 * machine, else the embedded database; `mongod` and `embedded` take only that, whatever `MONGO_URI` says.
 *
 * @throws {Error} when the one that was asked for is refused, does not answer or cannot be started.
 */
export function startDatabaseServer(
  runId: string,
  variables: NodeJS.ProcessEnv,
  embedded: EmbeddedOptions,
): Promise<DatabaseServer> {
  const choice = variables.TEST_DB || 'auto'
  if (choice === 'mongod') return startMongod({ download: variables.MONGOMS_DOWNLOAD === '1' })
  if (choice === 'embedded') return startEmbedded('TEST_DB=embedded', embedded)
  if (choice !== 'auto') throw new Error(`TEST_DB is '${choice}': it can be auto, mongod or embedded`)
  return variables.MONGO_URI
    ? useGiven(variables.MONGO_URI, runId, variables.TEST_ALLOW_REMOTE === '1')
    : startLocalMongodOrEmbedded(embedded)
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
    uris: [uri],
    description: `${names} (given by MONGO_URI)`,
    async close() {
      const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
      const own = databases.filter(({ name }) => isDatabaseOf(runId, name))
      for (const { name } of own) await client.db(name).dropDatabase()
      await client.close()
    },
  }
}

async function startLocalMongodOrEmbedded(embedded: EmbeddedOptions): Promise<DatabaseServer> {
  forbidDownload()
  try {
    const binary = await DryMongoBinary.locateBinary(await DryMongoBinary.generateOptions())
    if (binary === undefined) return startEmbedded('no MONGO_URI, no mongod on this machine', embedded)
    return await startMongod({ download: false })
  } catch (error) {
    return startEmbedded(`the mongod here does not start: ${firstLine(error)}`, embedded)
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
      uris: [uri],
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

// It does one thing at a time. With a thread for each worker, no test waits for what another one asks of it.
async function startEmbedded(reason: string, { built, workers }: EmbeddedOptions): Promise<DatabaseServer> {
  const file = join(built, 'test', 'support', 'embedded-thread.mjs')
  const threads = Array.from({ length: workers }, () => new Worker(file))
  const close = async () => void (await Promise.all(threads.map(thread => thread.terminate())))
  try {
    const ports = (await Promise.all(threads.map(thread => once(thread, 'message')))).flat()
    return {
      kind: 'embedded',
      uris: ports.map(port => `mongodb://127.0.0.1:${port}/`),
      description: `embedded at 127.0.0.1:${ports.join(', ')} (${reason})`,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? message
}
