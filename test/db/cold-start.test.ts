import dns from 'node:dns'
import { MongoClient } from 'mongodb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { allCollections } from '../../lib/domain/registry.js'
import { withDatabaseName } from '../../scripts/support/database-uri.js'
import { testDatabase } from '../support/database.js'
import { adminToken, call } from '../support/request.js'
import { type Deployment, deploy, observeClients } from './deployment.js'

let deployment: Deployment

afterEach(() => deployment.stop())

describe('fifty requests to an instance that has just been started', () => {
  it('open one client and create each index once', async () => {
    const { db, uri } = testDatabase()
    await db.dropDatabase()
    const observed = observeClients()
    deployment = await deploy({ MONGO_URI: uri })

    const first = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(deployment, i)))

    expect(first.map(answer => answer.status)).toEqual(first.map((_, i) => (i % 6 < 3 ? 201 : 200)))
    expect(observed.clients).toHaveLength(1)
    const indexed = allCollections.filter(({ indexes }) => indexes.length > 0)
    // The probe of the instance's health asks for every collection's; the counters of a lead follow its answer.
    await vi.waitFor(() =>
      expect(observed.commands.filter(command => command.startsWith('createIndexes')).sort()).toEqual(
        indexed.map(({ name }) => `createIndexes ${name}`).sort(),
      ),
    )
    for (const { name, indexes } of indexed) {
      const existing = (await db.collection(name).indexes()).map(index => index.name)
      expect(existing.sort()).toEqual(['_id_', ...indexes.map(index => index.name)].sort())
    }

    observed.commands.length = 0
    await Promise.all(Array.from({ length: 50 }, (_, i) => ask(deployment, i)))
    expect(observed.clients).toHaveLength(1)
    expect(observed.commands.filter(command => /ndex/.test(command))).toEqual([])
  })

  it('share the client with a module that was loaded twice', async () => {
    const observed = observeClients()
    deployment = await deploy({ MONGO_URI: testDatabase().uri })
    await deployment.database()

    const again = await deploy({ MONGO_URI: testDatabase().uri })

    expect(await again.database()).toBe(await deployment.database())
    expect(observed.clients).toHaveLength(1)
  })

  it('hold few connections', async () => {
    const observed = observeClients()
    deployment = await deploy({ MONGO_URI: testDatabase().uri })
    let most = 0
    let open = 0

    await deployment.database()
    const [client] = observed.clients
    client?.on('connectionCreated', () => {
      open += 1
      most = Math.max(most, open)
    })
    client?.on('connectionClosed', () => {
      open -= 1
    })
    await Promise.all(Array.from({ length: 50 }, (_, i) => ask(deployment, i)))

    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(10)
  })

  function ask({ leads, events, widgetConfig, health }: Deployment, i: number) {
    const event = { type: 'chat_shown', projectId: 'cold' }
    const conversation = [{ id: `m${i}`, type: 'user', text: 'Hello', timestamp: 1 }]
    switch (i % 6) {
      case 0:
        return call(leads, 'POST', '/api/leads', { body: { microsite: 'cold', conversation } })
      case 1:
        return call(events, 'POST', '/api/events', { body: event })
      case 2:
        return call(events, 'POST', '/api/events', { body: [event, event] })
      case 3:
        return call(widgetConfig, 'GET', '/api/widget-config/cold')
      case 4:
        return call(leads, 'GET', '/api/leads', { token: adminToken() })
      default:
        return call(health, 'GET', '/api/health')
    }
  }
})

describe('the database that a URI names', () => {
  it.each([
    ['mongodb://127.0.0.1:1', 'leadline'],
    ['mongodb://127.0.0.1:1/', 'leadline'],
    ['mongodb://127.0.0.1:1/?directConnection=true', 'leadline'],
    ['mongodb://127.0.0.1:1?appName=x', 'leadline'],
    ['mongodb://user:p%2Fw%3F@127.0.0.1:1/?authSource=admin', 'leadline'],
    ['mongodb://127.0.0.1:1/test', 'test'],
    ['mongodb://127.0.0.1:1/test?directConnection=true', 'test'],
    ['mongodb://user:p%2Fw%3F@127.0.0.1:1/crm?authSource=admin', 'crm'],
    ['mongodb://127.0.0.1:1,127.0.0.1:2/crm?replicaSet=rs', 'crm'],
    ['mongodb://127.0.0.1:1/my%2Dleads', 'my-leads'],
    ['mongodb+srv://cluster0.example.net', 'leadline'],
    ['mongodb+srv://user:pw@cluster0.example.net/crm?retryWrites=true', 'crm'],
  ])('is used, and leadline where it names none: %s', async (uri, name) => {
    const connect = vi.spyOn(MongoClient.prototype, 'connect').mockImplementation(async function (
      this: MongoClient,
    ) {
      return this
    })
    deployment = await deploy({ MONGO_URI: uri })

    expect((await deployment.database()).databaseName).toBe(name)
    expect(connect).toHaveBeenCalledTimes(1)
  })
})

describe('a deployment whose environment is not valid', () => {
  it('is a 503 with a fixed sentence, says in its log what to mend, and lives', async () => {
    vi.stubEnv('LOG_LEVEL', 'loud')
    const log = vi.spyOn(console, 'error').mockReturnValue()
    deployment = await deploy({ MONGO_URI: testDatabase().uri, ADMIN_TOKEN: 'too-short-a-secret' })
    const { leads, events, widgetConfig, health } = deployment
    const origin = 'https://site.example'
    const refused = await Promise.all([
      call(leads, 'POST', '/api/leads', { body: { phone: '9811100000' }, origin }),
      call(leads, 'GET', '/api/leads', { token: 'x' }),
      call(events, 'POST', '/api/events', { body: { type: 'chat_shown', projectId: 'p' } }),
    ])
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
      expect(answer.text).toContain('The service is temporarily unavailable: try again shortly.')
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    const ready = await call(health, 'GET', '/api/health', { origin })
    expect(ready).toMatchObject({ status: 503, body: { details: [{ path: 'environment' }] } })
    expect(await call(health, 'GET', '/api/health?probe=live', { origin })).toMatchObject({
      status: 200,
      body: { live: true },
    })
    expect((await call(widgetConfig, 'GET', '/api/widget-config/site', { origin })).status).toBe(200)

    expect(String(log.mock.lastCall)).toContain('ADMIN_TOKEN must have at least 32 characters')
    for (const said of [...refused.map(({ text }) => text), ready.text, String(log.mock.calls)])
      expect(said).not.toContain('too-short-a-secret')
  })
})

describe('a deployment whose name server is silent', () => {
  it('is without its database after seconds, as with one that is away, and tries again', async () => {
    vi.stubEnv('LOG_LEVEL', 'silent')
    const lookUp = vi.spyOn(dns.promises, 'resolve').mockReturnValue(new Promise<never>(() => {}))
    deployment = await deploy({ MONGO_URI: 'mongodb+srv://user:pw@cluster0.leadline.example/leadline' })
    const startedAt = performance.now()

    const answers = await Promise.all([
      call(deployment.leads, 'POST', '/api/leads', { body: { microsite: 'site', phone: '9811100000' } }),
      call(deployment.leads, 'GET', '/api/leads', { token: adminToken() }),
      call(deployment.widgetConfig, 'GET', '/api/widget-config/site'),
    ])

    expect(answers.map(({ status }) => status)).toEqual([503, 503, 200])
    // What the connection is given, and what a busy machine adds.
    expect(performance.now() - startedAt).toBeLessThan(6_000)
    lookUp.mockRejectedValue(new Error('querySrv ENOTFOUND'))
    await expect(deployment.database()).rejects.toMatchObject({ cause: { message: 'querySrv ENOTFOUND' } })
  })

  it('leaves no connection open that comes too late', async () => {
    let connected = () => {}
    vi.spyOn(MongoClient.prototype, 'connect').mockImplementation(function (this: MongoClient) {
      return new Promise(resolve => {
        connected = () => resolve(this)
      })
    })
    const close = vi.spyOn(MongoClient.prototype, 'close').mockResolvedValue()
    deployment = await deploy({ MONGO_URI: 'mongodb://127.0.0.1:1/leadline' })

    await expect(deployment.database()).rejects.toMatchObject({ code: 'unavailable' })

    const before = close.mock.calls.length
    connected()
    await vi.waitFor(() => expect(close).toHaveBeenCalledTimes(before + 1))
  })
})

describe('a deployment without a database', () => {
  it('says so where it needs one', async () => {
    deployment = await deploy({ MONGO_URI: '' })

    const lead = await call(deployment.leads, 'POST', '/api/leads', { body: { phone: '9811100000' } })
    const live = await call(deployment.health, 'GET', '/api/health?probe=live')

    expect(lead).toMatchObject({ status: 501, body: { code: 'not_configured' } })
    expect(lead.text).toContain('MONGO_URI')
    expect(live.status).toBe(200)
  })

  it('answers a URI that the driver cannot read with a sentence, and keeps the URI to itself', async () => {
    vi.stubEnv('LOG_LEVEL', 'error')
    const log = vi.spyOn(console, 'error').mockReturnValue()
    deployment = await deploy({ MONGO_URI: 'mongodb://user:hunter2@@127.0.0.1:x/leadline' })

    const refused = await call(deployment.leads, 'POST', '/api/leads', { body: { phone: '9811100000' } })

    expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    expect(String(log.mock.lastCall)).toContain('MONGO_URI')
    expect(String(log.mock.calls)).not.toContain('hunter2')
  })

  it('connects to no server for a URI whose database has an impossible name', async () => {
    vi.spyOn(console, 'error').mockReturnValue()
    const observed = observeClients()
    deployment = await deploy({ MONGO_URI: withDatabaseName(testDatabase().uri, 'lead.line') })

    const refused = await call(deployment.leads, 'POST', '/api/leads', { body: { phone: '9811100000' } })

    expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    expect(observed.clients).toEqual([])
  })
})
