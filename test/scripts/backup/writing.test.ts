import { BSON } from 'mongodb'
import { beforeEach, expect, it, vi } from 'vitest'
import { writeManifest } from '../../../scripts/backup/manifest.js'
import type { StoredCollection } from '../../../scripts/backup/stored-collections.js'
import { documentOf } from '../../../scripts/backup/stored-documents.js'
import { claim, survey } from '../../../scripts/backup/unfinished-restore.js'
import { writeBackup } from '../../../scripts/backup/write-backup.js'
import { type CollectionSource, writeCollections } from '../../../scripts/backup/write-collections.js'
import { runScript } from '../support/run-script.js'
import { emptyTestPlace, makeDirectory } from './support/databases.js'

const { signal } = new AbortController()
const now = new Date()

/** A collection of the given documents, with a moment between them. */
function sourceOf(
  documents: readonly object[],
  { between = async () => {}, indexes = [] as object[] } = {},
): CollectionSource {
  return {
    name: 'leads',
    options: {},
    async *documents() {
      for (const document of documents) {
        await between()
        yield { document: documentOf(BSON.serialize(document)), bytes: 1 }
      }
    },
    indexes: async () => indexes,
  }
}

const begin = async (db: Parameters<typeof claim>[0]) => claim(db, await survey(db), ['leads'], now)

beforeEach(() => void vi.spyOn(console, 'error').mockReturnValue())

it('stops when another restore has begun in the same database', async () => {
  const { db } = await emptyTestPlace()
  const first = await begin(db)
  await first.assertMine()
  const second = await begin(db)

  const writing = { claim: first, signal, written: () => {} }
  await expect(writeCollections(db, [sourceOf([{ _id: 1 }])], writing)).rejects.toThrow(
    'another restore has begun',
  )
  expect(await db.collection('leads').countDocuments()).toBe(0)
  await second.assertMine()
  await second.finish()
  expect(await survey(db)).toMatchObject({ half: [], halfStartedAt: undefined, occupied: [] })
})

it('does not end as finished when another restore has begun meanwhile, which goes on', async () => {
  const { db } = await emptyTestPlace()
  const first = await begin(db)
  await writeCollections(db, [sourceOf([{ _id: 1 }])], { claim: first, signal, written: () => {} })
  const second = await begin(db)

  await expect(first.finish()).rejects.toThrow('another restore has begun')

  await writeCollections(db, [sourceOf([{ _id: 1 }])], { claim: second, signal, written: () => {} })
  expect(await survey(db)).toMatchObject({ half: ['leads'], halfStartedAt: now, occupied: [] })
  await second.finish()
  expect(await survey(db)).toMatchObject({ half: [], halfStartedAt: undefined, occupied: ['leads'] })
})

it('leaves alone what a client wrote into an empty collection at that moment', async () => {
  const { db } = await emptyTestPlace()
  await db.collection('leads').createIndex({ phone: 1 }, { unique: true })
  const ground = await survey(db)
  await db.collection('leads').insertOne({ phone: '+919876543210' })
  const own = await claim(db, ground, ['leads'], now)

  const writing = { claim: own, signal, written: () => {} }
  await expect(writeCollections(db, [sourceOf([{ _id: 1 }])], writing)).rejects.toThrow(
    'leads has 2 documents after 1 were written',
  )
  expect(await db.collection('leads').countDocuments({ phone: '+919876543210' })).toBe(1)
  // And it is known for a half, to be begun anew.
  expect(await survey(db)).toMatchObject({ half: ['leads'], halfStartedAt: now })
})

it('drops of an unfinished restore what that wrote, and nothing else', async () => {
  const { db } = await emptyTestPlace()
  await db.collection<{ _id: number }>('users').insertOne({ _id: 1 })
  const half = await claim(
    db,
    { half: [], halfStartedAt: undefined, occupied: [], empty: [] },
    ['leads'],
    now,
  )
  const writing = { claim: half, signal, written: () => {} }
  await writeCollections(db, [sourceOf([{ _id: 1 }, { _id: 2 }])], writing)

  const ground = await survey(db)
  expect(ground).toEqual({ half: ['leads'], halfStartedAt: now, occupied: ['users'], empty: [] })
  await claim(db, ground, ['events'], now)
  expect(await db.collection('leads').countDocuments()).toBe(0)
  expect(await db.collection('users').countDocuments()).toBe(1)
})

it('says which index cannot be built, and builds the others', async () => {
  const { db } = await emptyTestPlace()
  const own = await begin(db)
  const indexes = [
    { v: 2, key: { phone: 1 }, name: 'unique_phone', unique: true },
    { v: 2, key: { microsite: 1 }, name: 'microsite' },
  ]
  const twins = [
    { _id: 1, phone: '+919876543210' },
    { _id: 2, phone: '+919876543210' },
  ]
  const writing = { claim: own, signal, written: () => {} }

  const tallies = await writeCollections(db, [sourceOf(twins, { indexes })], writing)

  expect(tallies).toEqual({ leads: { scanned: 2, written: 2, skipped: 0, failed: 1 } })
  expect(console.error).toHaveBeenCalledWith(
    expect.stringMatching(/^The index unique_phone of leads cannot be built: ./),
  )
  const built = await db.collection('leads').listIndexes().toArray()
  expect(built.map(({ name }) => name).sort()).toEqual(['_id_', 'microsite'])
})

it('is a failure where an index cannot be built, though everything else is there', {
  timeout: 120_000,
}, async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const { db, uri } = await emptyTestPlace()
  const directory = makeDirectory()
  const leads: StoredCollection = {
    name: 'leads',
    options: {},
    estimate: 2,
    async *documents() {
      for (const _id of [1, 2]) yield BSON.serialize({ _id, phone: '+919876543210' })
    },
    // As a backup may have it that was written while a phone number changed hands.
    indexes: async () => [BSON.serialize({ v: 2, key: { phone: 1 }, name: 'unique_phone', unique: true })],
  }
  const { contents } = await writeBackup({ collections: [leads], directory, signal })
  const [startedAt, finishedAt] = [now.toISOString(), now.toISOString()]
  await writeManifest(directory, { database: 'leadline', server: '7.0.0', startedAt, finishedAt, contents })

  const env = { MONGO_URI: uri }
  const { code, output, told } = await runScript('restore', ['--from', directory, '--apply'], { env })

  expect({ code, output }).toEqual({ code: 1, output: expect.stringMatching(/^leads +2 +2 +0 +1$/m) })
  expect(told).toContain('npm run restore --: 1 index could not be built')
  expect(await db.collection('leads').countDocuments()).toBe(2)
  expect(await survey(db)).toMatchObject({ halfStartedAt: undefined, occupied: ['leads'] })
})
