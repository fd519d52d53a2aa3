import { BSON } from 'mongodb'
import { beforeEach, expect, it } from 'vitest'
import loginRoute from '../../api/auth/login.js'
import leadsRoute from '../../api/leads/index.js'
import usageRoute from '../../api/user/usage/index.js'
import { users } from '../../lib/domain/accounts/users.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import { events } from '../../lib/domain/events/events.js'
import { recount } from '../../lib/domain/events/recount.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { recomputeUsage } from '../../lib/domain/usage/usage-recompute.js'
import { businesses, DEMO_PASSWORD } from '../../scripts/seed/cast.js'
import { type Demonstration, demonstrations } from '../../scripts/seed/demonstrations.js'
import { emailOf } from '../../scripts/seed/identities.js'
import { make, planned } from '../../scripts/seed/make.js'
import { remove } from '../../scripts/seed/remove.js'
import { daysUntil } from '../../scripts/seed/visits.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { call } from '../support/request.js'
import { createTestUser } from '../support/users.js'
import { runScript } from './support/run-script.js'

/** Some thousand writes, by a process of its own, on a noisy machine. */
const PATIENCE = { timeout: 300_000 }
const DAYS = 6

beforeEach(() => emptyDatabase())

/** Every document, but for what counts tries and limits, which expires by itself. */
async function everything() {
  const { db } = testDatabase()
  const names = (await db.listCollections().toArray()).map(({ name }) => name)
  const kept = names.filter(name => !['ratelimits', 'loginfailures'].includes(name)).sort()
  const all = await Promise.all(
    kept.map(async name => [name, await db.collection(name).find().sort({ _id: 1 }).toArray()] as const),
  )
  return all
    .filter(([, documents]) => documents.length > 0)
    .map(([name, documents]) => [name, BSON.EJSON.stringify(documents)])
}

async function countsByCollection() {
  const { db } = testDatabase()
  const names = [
    'users',
    'widgetconfigs',
    'conversations',
    'events',
    'leads',
    'chatsessions',
    'conversationturns',
  ]
  const counts = await Promise.all(names.map(name => db.collection(name).countDocuments()))
  return Object.fromEntries(names.map((name, i) => [name, counts[i]]))
}

/** What recounting and recomputing everything would mend. */
async function mended() {
  const days = daysUntil(new Date(), DAYS + 1)
  const counters = (await Promise.all(days.map(day => recount(day)))).flat()
  const accounts = await (await users.open()).find().toArray()
  // Later than any request could still be at it.
  const later = new Date(Date.now() + 2 * 60 * 60 * 1000)
  const usage = await Promise.all(accounts.map(({ _id }) => recomputeUsage(_id, new Date(0), later)))
  return [
    ...counters,
    ...usage.flatMap(({ metered, mended }) => [...mended, ...(metered > 0 ? [metered] : [])]),
  ]
}

it('makes a demonstration once, which adds up, and takes exactly that away again', PATIENCE, async () => {
  await createTestUser()
  const bystander = { microsite: 'm', projectId: 'm', createdAt: new Date(0) }
  await testDatabase()
    .db.collection('leads')
    .insertOne({ ...bystander, quarantined: false, note: 'not a demonstration' })
  const before = await everything()

  const first = await runScript('seed', ['--apply', '--days', String(DAYS)])
  expect(first.told).toContain('Demonstration 1 is in ')
  expect(first.code).toBe(0)

  const stored = await (await demonstrations.open()).findOne({ _id: 1 })
  if (!stored) throw new Error('nothing was made')
  const plan = planned(stored)
  expect(await countsByCollection()).toMatchObject({
    users: businesses.length + 1,
    widgetconfigs: 3,
    conversations: plan.calls?.written,
    events: plan.events?.written,
  })
  expect(await mended()).toEqual([])

  const over = businesses.find(({ plan }) => plan === 'basic')
  if (!over) throw new Error('nobody has the basic plan')
  const credentials = { email: emailOf(over, 1), password: DEMO_PASSWORD }
  const { body } = await call<{ token: string }>(loginRoute, 'POST', '/api/auth/login', { body: credentials })
  const usage = await call(usageRoute, 'GET', '/api/user/usage', body)
  expect(usage.body).toMatchObject({
    data: { plan: 'basic', allowed: false, calls: { limit: 100, remaining: 0 } },
  })
  const listed = await call<{ total: number }>(leadsRoute, 'GET', '/api/leads?limit=1', body)
  const captured = await (await eventCounts.open())
    .find({ '_id.type': 'leadsCaptured', '_id.microsite': 'nivasa-heights-demo-1' })
    .toArray()
  expect(listed.body.total).toBe(captured.reduce((sum, { count }) => sum + count, 0))
  expect(listed.body.total).toBeGreaterThan(0)

  const made = await countsByCollection()
  const second = await runScript('seed', ['--apply', '--days', '30'])
  expect(second.told).toContain(
    `Demonstration 1 is there since ${stored.madeAt.toISOString()}: nothing is made.`,
  )
  expect(await countsByCollection()).toEqual(made)

  const removed = await runScript('seed', ['--remove', '--apply'])
  expect(removed).toMatchObject({ code: 0 })
  expect(removed.told).toContain('Demonstration 1 is gone.')
  expect(await everything()).toEqual(before)
})

it('goes on where it was interrupted, and doubles nothing', PATIENCE, async () => {
  const demonstration: Demonstration = { _id: 7, madeAt: new Date(), days: 3, state: 'making' }
  const stopped = new AbortController()
  const report = (_: number, fraction: number) => {
    if (fraction > 0.7) stopped.abort(new Error('stopped'))
  }
  await expect(make(demonstration, false, report, stopped.signal)).rejects.toThrow('stopped')
  const halfway = await countsByCollection()
  // As a crash between an event and its count leaves it.
  await (await eventCounts.open()).updateOne({ '_id.type': 'chatsShown' }, { $inc: { count: -1 } })

  await make(demonstration, true, () => {}, new AbortController().signal)

  const whole = await countsByCollection()
  const { calls, events: sent, leads: left } = planned(demonstration)
  expect(whole).toMatchObject({ conversations: calls?.written, events: sent?.written })
  expect(whole.leads).toBeLessThanOrEqual(left?.written ?? 0)
  expect(halfway).not.toEqual(whole)
  expect(await mended()).toEqual([])
  await make(demonstration, true, () => {}, new AbortController().signal)
  expect(await countsByCollection()).toEqual(whole)

  // What somebody else sent to one of its widgets is not the demonstration's.
  const projectId = 'nivasa-heights-demo-7'
  const [some] = await (await events.open()).find({ projectId, type: 'chat_shown' }).limit(1).toArray()
  if (!some) throw new Error('no event')
  const { payload: _mark, ...own } = some
  const { insertedId } = await testDatabase()
    .db.collection('events')
    .insertOne({ ...own, _id: undefined } as object)
  await remove(demonstration, new Date())
  expect(await testDatabase().db.collection('events').find().toArray()).toMatchObject([{ _id: insertedId }])
  expect(await (await leads.open()).countDocuments()).toBe(0)
  expect(await (await eventCounts.open()).find().toArray()).toMatchObject([
    { _id: { projectId, type: 'chatsShown', day: some.day }, count: 1 },
  ])
})
