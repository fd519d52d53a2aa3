import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { dayOf } from '../../lib/domain/events/event-counts.js'
import { Lead } from '../../lib/domain/leads/leads.js'
import type { MaintenanceReport } from '../../lib/domain/maintenance/maintenance.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { adminToken, type CallOptions, call } from '../support/request.js'

const CRON_SECRET = 'cron-secret-of-the-tests'
const DAY_MS = 24 * 60 * 60 * 1000

beforeEach(() => emptyDatabase())

/** A deployment of its own, since a process reads its environment once. */
async function deploy(environment: Record<string, string>) {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  vi.resetModules()
  const { default: cronRoute } = await import('../../api/cron/maintain.js')
  return (options: CallOptions = {}, method = 'GET') =>
    call<MaintenanceReport>(cronRoute, method, '/api/cron/maintain', options)
}

describe('the maintenance cron', () => {
  it('is not configured without a secret', async () => {
    const run = await deploy({})

    const refused = await run({ token: 'undefined' })

    expect(refused).toMatchObject({
      status: 501,
      body: { code: 'not_configured', message: 'CRON_SECRET is not set on this deployment.' },
    })
    expect((await run()).status).toBe(501)
  })

  it('is run by who has the secret, or is an operator', async () => {
    const run = await deploy({ CRON_SECRET })

    for (const token of [CRON_SECRET, adminToken()]) expect((await run({ token })).status).toBe(200)
    for (const token of ['', 'wrong', `${CRON_SECRET}x`, CRON_SECRET.slice(1)])
      expect(await run({ token })).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect((await run({ headers: { 'x-cron-secret': CRON_SECRET } })).status).toBe(401)
    expect((await run({ token: CRON_SECRET }, 'POST')).status).toBe(405)
  })

  it('lets nobody in by its secret elsewhere', async () => {
    await deploy({ CRON_SECRET })
    const { default: leadsRoute } = await import('../../api/leads/index.js')

    expect((await call(leadsRoute, 'GET', '/api/leads', { token: CRON_SECRET })).status).toBe(403)
  })

  it('mends the counters of past days and says what it did', async () => {
    const run = await deploy({ CRON_SECRET })
    const { db } = testDatabase()
    const yesterday = dayOf(new Date(Date.now() - DAY_MS))
    const createdAt = new Date(`${yesterday}T12:00:00Z`)
    const spam = { score: 1, reasons: ['invalid_phone'] }
    await db.collection('leads').insertMany([{}, {}, { spam }].map(fields => leadOf(createdAt, fields)))
    const counter = (site: string) => ({
      projectId: site,
      microsite: site,
      type: 'leadsCaptured',
      day: yesterday,
    })
    const counters = db.collection<{ _id: object; count: number }>('eventcounts')
    await counters.insertOne({ _id: counter('b'), count: 4 })

    const { body } = await run({ token: CRON_SECRET })

    expect(body.ok).toBe(true)
    expect(body.jobs.filter(({ ok }) => !ok)).toEqual([])
    expect(body.jobs.find(({ name }) => name === 'counters')?.result).toEqual({
      mended: expect.arrayContaining([
        { counter: counter('a'), was: 0, is: 2 },
        { counter: counter('b'), was: 4, is: 0 },
      ]),
    })
    const again = (await run({ token: CRON_SECRET })).body.jobs.find(({ name }) => name === 'counters')
    expect(again?.result).toEqual({ mended: [] })
  })

  it('recounts nothing that a migration has yet to count', async () => {
    const run = await deploy({ CRON_SECRET })
    const { db } = testDatabase()
    const yesterday = new Date(Date.now() - DAY_MS)
    await db.collection('leads').insertOne(leadOf(yesterday, {}))
    const migrations = db.collection<{ _id: number; state: string }>('migrations')
    await migrations.insertOne({ _id: 1, state: 'running' })
    const counters = async () =>
      (await run({ token: CRON_SECRET })).body.jobs.find(({ name }) => name === 'counters')?.result

    expect(await counters()).toEqual({ waitsForMigration: 1 })
    expect(await db.collection('eventcounts').countDocuments()).toBe(0)
    await migrations.updateOne({ _id: 1 }, { $set: { state: 'done' } })
    expect(await counters()).toMatchObject({ mended: [{ was: 0, is: 1 }] })
  })

  it('fails with an index that cannot be made, and does the rest', async () => {
    const run = await deploy({ CRON_SECRET, LOG_LEVEL: 'error' })
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { db } = testDatabase()
    await db.collection('users').drop()
    await db.collection('users').insertMany([{ email: 'twice' }, { email: 'twice' }])

    const { body } = await run({ token: CRON_SECRET })

    expect(body.ok).toBe(false)
    expect(body.jobs.filter(({ ok }) => !ok)).toMatchObject([{ name: 'indexes', left: true }])
    expect(body.jobs.filter(({ left }) => left)).toHaveLength(1)
    expect(logged.mock.calls.join()).toMatch(/Indexes that cannot be made: users \(DuplicateKey\)\./)
    expect(await db.collection('maintenance').findOne()).toMatchObject({ ok: false })
  })

  it('does nothing while another run is at it, and says since when', async () => {
    const run = await deploy({ CRON_SECRET })
    const startedAt = new Date()
    const turns = testDatabase().db.collection<{ _id: string }>('maintenance')
    const expiresAt = new Date(startedAt.getTime() + 60_000)
    await turns.insertOne({ _id: 'turn', holder: new ObjectId(), startedAt, expiresAt } as { _id: string })

    expect(await run({ token: CRON_SECRET })).toMatchObject({
      status: 200,
      body: { ok: true, complete: false, runningSince: startedAt.toISOString(), jobs: [] },
    })
  })
})

function leadOf(createdAt: Date, fields: Partial<Lead>): Lead {
  return Lead.parse({
    _id: new ObjectId(),
    bhkType: '2 BHK',
    microsite: 'a',
    projectId: 'a',
    leadSource: 'ChatWidget',
    status: 'new',
    quarantined: fields.spam !== undefined,
    metadata: {},
    conversation: [],
    createdAt,
    updatedAt: createdAt,
    ...fields,
  })
}
