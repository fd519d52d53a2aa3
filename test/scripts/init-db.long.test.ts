import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { readCollectionStates } from '../../lib/domain/maintenance/index-states.js'
import { allCollections } from '../../lib/domain/registry.js'
import { testDatabase } from '../support/database.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

const PHONE = '+919811100000'

const { db } = testDatabase()

async function dropAll() {
  await db.dropDatabase()
}

beforeEach(dropAll)

// The next file of this worker makes the indexes first of all, and would meet what is left here.
afterAll(dropAll)

async function notSame() {
  const states = await readCollectionStates()
  const indexes = states.flatMap(({ collection, indexes }) =>
    indexes.map(({ name, state }) => ({ name: `${collection.name}.${name}`, state })),
  )
  return [
    ...states.filter(({ exists }) => !exists).map(({ collection }) => collection.name),
    ...indexes.filter(({ state }) => state !== 'same').map(({ name, state }) => `${name} ${state}`),
  ]
}

it('makes every collection and index; what is there is left alone', PATIENCE, async () => {
  const dry = await runScript('init-db', [])
  expect(dry.code).toBe(1)
  expect(dry.output).toMatch(/^leads +missing +is made by --apply, with its indexes \(\d+\)$/m)
  expect(await db.listCollections().toArray()).toEqual([])

  const first = await runScript('init-db', ['--apply'])
  expect(first).toMatchObject({ code: 0 })
  expect(first.told).toContain(`${db.databaseName} is as declared.`)
  expect(first.output).toMatch(
    new RegExp(`^collections +${allCollections.length} +${allCollections.length} `, 'm'),
  )
  expect(await notSame()).toEqual([])

  const second = await runScript('init-db', [])
  expect(second.code).toBe(0)
  expect(second.output).toMatch(/^indexes +\d+ +0 +0 +0$/m)
})

describe('drift', () => {
  beforeEach(async () => {
    await Promise.all(
      allCollections.map(async ({ name, indexes }) => {
        await db.createCollection(name)
        if (indexes.length > 0) await db.collection(name).createIndexes(indexes.map(index => ({ ...index })))
      }),
    )
    await db.collection('users').dropIndex('email')
    await db.collection('users').createIndex({ email: 1 }, { name: 'email' })
    await db.collection('leads').dropIndex('list')
    await db.collection('leads').createIndex({ 'metadata.city': 1 }, { name: 'by-hand' })
  })

  it('is reported and kept until its flag says otherwise', PATIENCE, async () => {
    const kept = await runScript('init-db', ['--apply'])
    expect(kept.code).toBe(1)
    expect(kept.told).toContain('npm run init-db --: 2 of the collections and indexes are not as declared')
    expect(kept.output).toMatch(
      /^users +email +email +differs +differs in unique: --rebuild drops it and makes it anew$/m,
    )
    expect(kept.output).toMatch(
      /^leads +by-hand +undeclared +nothing declares it: --drop-undeclared drops it$/m,
    )
    expect(kept.output).toMatch(/^leads +list +quarantined, createdAt↓, _id↓ +missing +made$/m)
    expect(kept.output).toMatch(/^indexes +\d+ +1 +2 +0$/m)
    expect((await notSame()).sort()).toEqual(['leads.by-hand undeclared', 'users.email differs'])

    const mended = await runScript('init-db', ['--apply', '--rebuild', '--drop-undeclared'])
    expect(mended.code).toBe(0)
    expect(await notSame()).toEqual([])
  })

  it('that data forbids to mend is named, without the data', PATIENCE, async () => {
    const users = db.collection('users')
    const { insertedIds } = await users.insertMany([{ email: PHONE }, { email: PHONE }, { email: 'other' }])
    const configs = db.collection('widgetconfigs')
    await configs.dropIndex('domains')
    await configs.insertMany([
      { projectId: 'a', domains: ['a.example', 'both.example', 'both.example'] },
      { projectId: 'b', domains: ['both.example'] },
      { projectId: 'c', domains: [] },
      { projectId: 'd', domains: [] },
    ])

    const dry = await runScript('init-db', ['--rebuild'])
    expect(dry.output).toMatch(/^users +email +email +differs +1 value in more than one document/m)
    const { code, output, told } = await runScript('init-db', ['--apply', '--rebuild', '--drop-undeclared'])

    expect(code).toBe(1)
    const ids = [insertedIds[0], insertedIds[1]].map(String).sort().join(' and ')
    expect(output).toContain(`1 value in more than one document, for instance ${ids}: mend them first`)
    expect(output).toMatch(/^widgetconfigs +domains +domains +missing +1 value in more than one document/m)
    expect(output + told).not.toMatch(/9811100000|both\.example/)
    // What was there is not dropped for what cannot be made.
    expect((await notSame()).sort()).toEqual(['users.email differs', 'widgetconfigs.domains missing'])

    await users.deleteMany({})
    await configs.deleteOne({ projectId: 'b' })
    expect((await runScript('init-db', ['--apply', '--rebuild'])).code).toBe(0)
  })

  it('in the way of what is missing is dropped first', PATIENCE, async () => {
    const events = db.collection('events')
    await events.dropIndex('expiresAt')
    await events.createIndex({ expiresAt: 1 }, { name: 'old-ttl', expireAfterSeconds: 60 })

    const refused = await runScript('init-db', ['--apply', '--rebuild'])
    expect(refused.output).toMatch(
      /^events +expiresAt +expiresAt +missing +an index that nothing declares has its key/m,
    )
    expect((await runScript('init-db', ['--apply', '--rebuild', '--drop-undeclared'])).code).toBe(0)
  })
})

it('makes an admin where it is asked to, by the environment’s password', PATIENCE, async () => {
  const env = { MONGO_URI: testDatabase().uri, ADMIN_PASSWORD: 'correct horse battery' }

  const { code, told } = await runScript('init-db', ['--apply', '--admin', 'root@example.com'], { env })

  expect(code).toBe(0)
  expect(told).toContain('root@example.com is a new admin.')
  expect(await db.collection('users').findOne({ email: 'root@example.com' })).toMatchObject({ role: 'admin' })
})
