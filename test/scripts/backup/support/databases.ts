import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, MongoClient } from 'mongodb'
import { onTestFinished } from 'vitest'
import { allCollections } from '../../../../lib/domain/registry.js'
import { documentOf } from '../../../../scripts/backup/stored-documents.js'
import { serveDirectory } from '../../../../scripts/embedded-db/serve-directory.js'
import { testDatabase } from '../../../support/database.js'
import { AWKWARD, bytesOf, EVERY_TYPE } from './every-type.js'

/** A database, and its address for a script. */
export interface Place {
  db: Db
  uri: string
}

/** A directory of its own; the running test removes it. */
export function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-backup-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A development database of its own, whatever the run's database is. */
export async function embeddedPlace(): Promise<Place> {
  const server = await serveDirectory({ directory: makeDirectory() })
  const client = new MongoClient(server.uri)
  onTestFinished(async () => {
    await client.close()
    await server.close()
  })
  return { db: client.db('leadline'), uri: server.uri }
}

/** The database of this run's worker, with nothing in it, and for the next test file nothing left of it. */
export async function emptyTestPlace(): Promise<Place> {
  const { db, uri } = testDatabase()
  await db.dropDatabase()
  onTestFinished(async () => {
    await db.dropDatabase()
  })
  return { db, uri }
}

/** Every index of the product, a document of every kind that is hard to keep, and an empty collection. */
export async function fillHard(db: Db): Promise<void> {
  for (const { name, indexes } of allCollections)
    if (indexes.length > 0) await db.collection(name).createIndexes(indexes.map(index => ({ ...index })))
  await db.createCollection('empty')
  const types = Object.entries(EVERY_TYPE).map(([name, v]) => documentOf(bytesOf(name, { v })))
  await db.collection('types').insertMany(types, { forceServerObjectId: true })
  const awkward = AWKWARD.map((document, at) => documentOf(bytesOf(at, document)))
  await db.collection('Ünlikely na/me').insertMany(awkward, { forceServerObjectId: true })
  const leads = Array.from({ length: 300 }, (_, at) => ({ _id: `lead-${at}`, phone: `+9198${at}` }))
  await db.collection<{ _id: string }>('leads').insertMany(leads)
}

/** Rows enough that a process is at work for a while. */
export async function fillMany(db: Db, count: number): Promise<void> {
  for (const name of ['events', 'leads']) {
    const rows = Array.from({ length: count }, (_, at) => ({
      _id: at,
      key: `${name}-${at}`,
      text: 'x'.repeat(200),
    }))
    await db.collection<{ _id: number }>(name).insertMany(rows)
    await db.collection(name).createIndex({ key: 1 }, { unique: true })
  }
}
