import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { MongoClient } from 'mongodb'
import { closeDatabase, databaseNameOf, waitForDatabaseAs } from '../../lib/db/client.js'
import { ensureIndexesOnOpen } from '../../lib/db/collection.js'
import { readSettings } from '../dev/settings.js'
import { UsageError } from '../dev/usage-error.js'
import type { Flags, Typed } from './command.js'
import { hostsOf } from './hosts.js'

/** The flags of every script that writes. */
export const WRITE_FLAGS = {
  apply: { type: 'boolean', help: 'write; without it nothing is changed' },
  yes: {
    type: 'string',
    value: 'DATABASE',
    help: 'the name of a database that is not on this machine, to confirm it',
  },
} as const satisfies Flags

/** The database that a script works on. */
export interface Target {
  /** Host and database, without credentials. */
  description: string
  databaseName: string
  /** On this machine. */
  local: boolean
  /** With credentials: for connections, never shown. */
  uri: string
}

/**
 * Works on the database that `MONGO_URI` names, else on the embedded one of `DATA_DIRECTORY`: the running one if
 * there is one, else one that is opened for the while. The product's own connection leads there, from its first
 * use on, and makes no index before `mayWrite`.
 *
 * @param elsewhere an address to work on instead.
 * @throws {Error} naming the database where it cannot be reached.
 */
export async function withTarget<T>(work: (target: Target) => Promise<T>, elsewhere?: string): Promise<T> {
  const settings = readSettings(process.cwd(), process.env)
  const uri = elsewhere ?? settings.mongoUri
  const opened = uri ? { uri, close: async () => {} } : await openEmbedded(settings.dataDirectory)
  const variables = Object.fromEntries(
    Object.entries(settings.variables).filter(([, value]) => value !== undefined),
  )
  Object.assign(process.env, variables, { MONGO_URI: opened.uri })
  delete process.env.MONGODB_URI
  waitForDatabaseAs('script')
  ensureIndexesOnOpen(false)
  try {
    const target = describeTarget(opened.uri)
    return await work(target).catch((error: { code?: unknown; cause?: unknown }) => {
      if (error.code !== 'unavailable') throw error
      const [reason = ''] = error.cause instanceof Error ? error.cause.message.split('\n', 1) : []
      throw new Error(`${target.description} cannot be reached: ${reason}`)
    })
  } finally {
    await closeDatabase()
    waitForDatabaseAs('request')
    ensureIndexesOnOpen(true)
    await opened.close()
  }
}

/**
 * The database that an address names. Nothing is asked of it.
 *
 * @throws {Error} without any part of the address where the driver cannot read it.
 */
export function describeTarget(uri: string): Target {
  const databaseName = databaseNameOf(uri)
  const hosts = hostsOf(uri)
  const description = `${databaseName} on ${hosts.map(host => host.name).join(', ')}`
  return { description, databaseName, local: hosts.every(host => host.isLoopback), uri }
}

/**
 * Says where a script works and whether it may write there: with `--apply`, and with the database's name where that
 * is not on this machine or the script deletes from it. To be asked before the first look at the database: it may be
 * one that nobody meant.
 *
 * @throws {UsageError} when the name is not given or another.
 */
export async function mayWrite(target: Target, typed: Typed, deletes = false): Promise<boolean> {
  if (!typed.has('apply')) {
    console.error(`Dry run on ${target.description}: nothing is written. --apply writes.`)
    return false
  }
  await confirmWrite(target, typed.text('yes'), deletes)
  ensureIndexesOnOpen(true)
  return true
}

/**
 * Says where a script is about to write, and asks for the name of a database that is not on this machine, or of any
 * that the script deletes from. Nothing is asked of the database itself.
 *
 * @throws {UsageError} when the name is not given or another.
 */
async function confirmWrite(target: Target, yes: string | undefined, deletes = false): Promise<void> {
  console.error(`Writing to ${target.description}.`)
  if ((target.local && !deletes) || yes === target.databaseName) return
  if (yes !== undefined) throw new UsageError(`--yes says ${yes}, but the database is ${target.databaseName}`)
  const reason = deletes ? 'this deletes what is there' : 'this database is not on this machine'
  if (!process.stdin.isTTY) throw new UsageError(`${reason}: confirm it with --yes ${target.databaseName}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const typed = await terminal.question(`Type the name of the database to go on: `)
  terminal.close()
  if (typed.trim() !== target.databaseName) throw new UsageError('another name was typed: nothing is written')
}

/**
 * Opens the database of a directory, or finds the server that has it open. The lock decides, not the address that
 * a server leaves beside it: one that was killed leaves it behind, for a port that may be anybody's by now. Where the
 * directory cannot be opened for another reason, nobody has it, and that address is nobody's.
 */
async function openEmbedded(dataDirectory: string): Promise<{ uri: string; close(): Promise<void> }> {
  const { serveDirectory } = await import('../embedded-db/serve-directory.js')
  const { DirectoryInUse } = await import('../embedded-db/durable/lock-file.js')
  try {
    return await serveDirectory({ directory: dataDirectory })
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error
    const uri = (await readFile(join(dataDirectory, 'db.uri'), 'utf8').catch(() => '')).trim()
    if (uri === '' || !(await answers(uri))) throw error
    return { uri, close: async () => {} }
  }
}

async function answers(uri: string): Promise<boolean> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 5_000 })
  try {
    await client.db('admin').command({ ping: 1 })
    return true
  } catch {
    return false
  } finally {
    await client.close()
  }
}
