import { ObjectId } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Deployment, deploy, observeClients } from '../db/deployment.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { type Answer, adminToken, call } from '../support/request.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

/** What a client waits at most while the database is away. */
const PATIENCE_MS = 3_000

let proxy: TcpProxy
let deployment: Deployment

beforeEach(async () => {
  await emptyDatabase()
  proxy = await startTcpProxy(testDatabase().uri)
  deployment = await deploy({ MONGO_URI: proxy.uri })
})

afterEach(async () => {
  await proxy.restore()
  await deployment.stop()
  await proxy.close()
})

interface Timed extends Answer<{ code?: string; message?: string; details?: unknown; agentName?: string }> {
  milliseconds: number
}

/** Asks each kind of route once, all at the same time. */
async function askAll() {
  const { leads, events, widgetConfig, health } = deployment
  const [capture, event, batch, list, guess, config, ready, live] = await Promise.all([
    timed(capturing()),
    timed(call(events, 'POST', '/api/events', { body: { type: 'chat_shown', projectId: 'site' } })),
    timed(call(events, 'POST', '/api/events', { body: [{ type: 'chat_shown', projectId: 'site' }] })),
    timed(call(leads, 'GET', '/api/leads', { token: adminToken() })),
    timed(call(leads, 'GET', '/api/leads', { token: 'wrong' })),
    timed(call(widgetConfig, 'GET', '/api/widget-config/site')),
    timed(call(health, 'GET', '/api/health')),
    timed(call(health, 'GET', '/api/health?probe=live')),
  ])
  return { refusable: { capture, event, batch, list, guess }, config, ready, live }
}

async function timed(asking: Promise<Answer<unknown>>): Promise<Timed> {
  const startedAt = performance.now()
  const answer = await asking
  return { ...answer, milliseconds: performance.now() - startedAt } as Timed
}

function capturing() {
  const conversation = [{ id: 'm1', type: 'user', text: 'Hello', timestamp: 1 }]
  return call(deployment.leads, 'POST', '/api/leads', {
    body: { microsite: 'site', phone: '9811100000', conversation },
  })
}

function expectAway({ refusable, config, ready, live }: Awaited<ReturnType<typeof askAll>>): void {
  for (const [name, answer] of Object.entries({ ...refusable, ready })) {
    expect(answer, name).toMatchObject({ status: 503, body: { success: false, code: 'unavailable' } })
    expect(Number(answer.headers.get('retry-after')), name).toBeGreaterThan(0)
    expect(answer.milliseconds, name).toBeLessThan(PATIENCE_MS)
    expect(answer.text, name).not.toMatch(/ECONNREFUSED|Mongo|127\.0\.0\.1/)
  }
  expect(ready.body.details).toEqual([{ path: 'database', message: 'does not answer' }])
  expect(live).toMatchObject({ status: 200, body: { live: true } })
  expect(config.status).toBe(200)
  expect(config.milliseconds).toBeLessThan(PATIENCE_MS)
  expect(config.headers.get('cache-control')).toBe('no-store')
  expect(config.headers.get('etag')).toBeNull()
}

function expectThere({ refusable, config, ready, live }: Awaited<ReturnType<typeof askAll>>): void {
  const statuses = Object.values(refusable).map(answer => answer.status)
  expect(statuses).toEqual([201, 201, 201, 200, 401])
  expect([config.status, ready.status, live.status]).toEqual([200, 200, 200])
  expect(config.headers.get('cache-control')).toContain('s-maxage')
}

describe('a database that is away', () => {
  it('for the first requests is a 503 within three seconds, and none once it is back', async () => {
    await proxy.refuse()

    const away = await askAll()

    expectAway(away)
    expect(away.config.body.agentName).toBe('Asha')
    await proxy.restore()
    expectThere(await askAll())
  })

  it('after it was there is a 503 as well, and needs no new client once it is back', async () => {
    const observed = observeClients()
    expectThere(await askAll())

    await proxy.refuse()
    expectAway(await askAll())
    await proxy.restore()
    expectThere(await askAll())

    expect(observed.clients).toHaveLength(1)
  })

  it('leaves a widget with what was read last, for the pages that may read it', async () => {
    await testDatabase()
      .db.collection('widgetconfigs')
      .insertOne({
        _id: new ObjectId(),
        projectId: 'site',
        agentName: 'Mira',
        domains: ['site.example'],
        revision: 1,
      })
    const ask = (origin: string) =>
      call(deployment.widgetConfig, 'GET', '/api/widget-config/site', { origin })
    expect(await ask('https://site.example')).toMatchObject({ status: 200, body: { agentName: 'Mira' } })
    await proxy.refuse()

    const [own, other] = await Promise.all([ask('https://site.example'), ask('https://other.example')])

    expect(own).toMatchObject({ status: 200, body: { agentName: 'Mira', domains: ['site.example'] } })
    expect(own.headers.get('cache-control')).toBe('no-store')
    expect(other.status).toBe(403)
  })
})

describe('a connection that is cut', () => {
  it('between two requests costs a 503 at most, and the next request nothing', async () => {
    expectThere(await askAll())
    proxy.cut()

    const { refusable, config, ready, live } = await askAll()

    for (const answer of Object.values(refusable)) {
      if (answer.status >= 500) expect(answer.status).toBe(503)
      if (answer.status === 503) expect(answer.headers.get('retry-after')).toBe('5')
    }
    expect([config.status, live.status]).toEqual([200, 200])
    expect([200, 503]).toContain(ready.status)
    expectThere(await askAll())
  })

  it('in place of the answer to a write neither loses a lead nor doubles it', async () => {
    await askAll()
    await testDatabase().db.collection('leads').deleteMany({})
    const cut = proxy.cutAnswerTo('leadSource')

    const first = await capturing()
    await cut

    // A replica set has the driver repeat the write; elsewhere the client has to.
    expect([201, 503]).toContain(first.status)
    expect((await capturing()).status).toBe(201)
    expect(await testDatabase().db.collection('leads').countDocuments()).toBe(1)
  })
})

it('serves all requests while the database is slow', async () => {
  proxy.delay(50)

  expectThere(await askAll())
})
