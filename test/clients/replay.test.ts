import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import { events } from '../../lib/domain/events/events.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { type DevProcess, startDev } from '../scripts/support/dev-process.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { storedLead } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { type SingleFunctionServer, startSingleFunction } from '../support/single-function.js'
import { createTestUser } from '../support/users.js'
import { type Exchange, misfits, readExchanges, replay } from './exchanges.js'

const PASSED_ON = [
  'ADMIN_TOKEN',
  'AUTH_SECRET',
  'BCRYPT_COST',
  'DATA_DIRECTORY',
  'RATE_LIMIT_SCALE',
  'LOG_LEVEL',
  // Empty: a developer's own would be spent.
  'OPENAI_API_KEY',
]

let dev: DevProcess
let single: SingleFunctionServer

const SHAPES = [
  ['a function each', () => dev.url],
  ['one function', () => single.url],
] as const

beforeAll(async () => {
  single = await startSingleFunction()
  const { uri } = testDatabase()
  const own = Object.fromEntries(PASSED_ON.map(name => [name, process.env[name] ?? '']))
  // Both names of the database, so that a developer's `.env` adds no other one.
  dev = await startDev(join(import.meta.dirname, '..', '..'), { ...own, MONGO_URI: uri, MONGODB_URI: uri })
  // Twins are within three seconds of one another: no function may have to start in between.
  await emptyDatabase()
  for (const client of ['widget-a.json', 'widget-c.json']) await sendAll(readExchanges(client))
  await settled()
})

afterAll(async () => {
  await dev?.end()
  await single?.stop()
})

const PROPERTY_INFO = {
  projectName: 'Nivasa Enchante',
  availableBhk: ['2 BHK', '3 BHK'],
  pricing: [
    { configuration: '2 BHK', price: '₹ 85 L' },
    { configuration: '3 BHK', price: '₹ 1.2 Cr' },
  ],
}

beforeEach(async () => {
  await emptyDatabase()
  const { user } = await createTestUser({ email: 'owner@nivasa.example' })
  const domains = ['nivasa-enchante.example']
  const config = storedWidgetConfig({ propertyInfo: PROPERTY_INFO, domains, ownerId: user._id })
  await (await widgetConfigs.open()).insertOne(config)
})

/** Sends everything, and checks each answer as far as the client reads it. */
async function expectPromisedAnswers(exchanges: readonly Exchange[], server: string) {
  for await (const { exchange, received } of replay(server, exchanges)) {
    const { status, headers, body } = received
    const label = `${exchange.method} ${exchange.path} ${exchange.body ?? ''}`
    expect(status, label).toBe(exchange.expects.status)
    // The old framework tagged every answer; a tag is of use only where the answer may be cached.
    const isCached = exchange.method === 'GET' && exchange.path.startsWith('/api/widget-config/')
    const promised = exchange.expects.headers.filter(header => header !== 'etag' || isCached)
    expect(Object.keys(headers), label).toEqual(expect.arrayContaining(promised))
    // A beacon carries credentials, for which the Fetch standard takes nothing but the page's own origin.
    expect(headers['access-control-allow-origin'], label).toBe(exchange.headers.origin)
    expect(headers['access-control-allow-credentials'], label).toBe('true')
    const asked = exchange.headers['access-control-request-headers']
    if (asked) expect(headers['access-control-allow-headers'], label).toContain(asked)
    const method = exchange.headers['access-control-request-method']
    if (method) expect(headers['access-control-allow-methods'], label).toContain(method)
    if (exchange.expects.shape) expect(misfits(body, exchange.expects.shape), label).toEqual([])
  }
}

const sendAll = async (exchanges: readonly Exchange[]) => {
  for await (const _ of replay(dev.url, exchanges));
}

/** Waits until what goes on after the answers has counted all there is. */
const settled = () =>
  vi.waitFor(
    async () => {
      const counts = await (await eventCounts.open()).find().toArray()
      const counted = Object.fromEntries(counts.map(({ _id, count }) => [_id.type, count]))
      const recorded = await events.open()
      expect(counted).toEqual({
        chatsShown: await recorded.countDocuments({ type: 'chat_shown' }),
        chatsStarted: await recorded.countDocuments({ type: 'chat_started' }),
        leadsCaptured: await (await leads.open()).countDocuments(),
      })
    },
    { timeout: 20_000, interval: 50 },
  )

describe.each([
  ['widget A', readExchanges('widget-a.json'), { name: 'Test Visitor', chats: 1, events: 4 }],
  ['widget B', readExchanges('widget-b.json'), { name: undefined, chats: 1, events: 4 }],
  ['widget C', readExchanges('widget-c.json'), { name: undefined, chats: 2, events: 3 }],
])('%s', (_, exchanges, left) => {
  afterEach(settled)

  it.each(SHAPES)('gets the answers that it was made for, of %s', async (_, url) => {
    await expectPromisedAnswers(exchanges, url())
  })

  it('leaves each event once, counted once', async () => {
    await sendAll(exchanges)
    expect(await (await events.open()).countDocuments()).toBe(left.events)
    expect(await (await events.open()).countDocuments({ type: 'chat_shown' })).toBe(1)
    await settled()
  })

  it('leaves one lead with its chat, also when the page sends everything twice', async () => {
    await sendAll([...exchanges, ...exchanges])

    const sent = JSON.parse(exchanges.find(({ path, body }) => path === '/api/leads' && body)?.body ?? '')
    const stored = await (await leads.open()).find().toArray()
    const expected: Partial<Lead> = {
      phone: '+919876501234',
      bhkType: '1 BHK',
      bhk: 1,
      microsite: 'nivasa-enchante',
      projectId: 'nivasa-enchante',
      conversation: sent.conversation,
    }
    expect(stored).toEqual([expect.objectContaining(expected)])
    expect(stored[0]?.name).toBe(left.name)
    expect(await (await chatSessions.open()).countDocuments()).toBe(left.chats)
    expect(await (await chatSessions.open()).countDocuments({ leadId: stored[0]?._id })).toBe(1)
  })

  it('changes nothing of the configuration that its owner wrote', async () => {
    const read = async () => (await widgetConfigs.open()).findOne({}, { projection: { suggestion: 0 } })
    const before = await read()
    await sendAll(exchanges)
    expect(await read()).toEqual(before)
  })
})

describe('the dashboard', () => {
  const exchanges = readExchanges('dashboard.json')

  beforeEach(async () => {
    const owner = await (await widgetConfigs.open()).findOne({})
    const conversation = [{ id: 'm1', type: 'user', text: 'Pricing 💸', timestamp: 1795326993746 }]
    const lead = storedLead({ conversation, ...(owner?.ownerId && { ownerId: owner.ownerId }) })
    await (await leads.open()).insertOne(lead)
  })

  it.each(SHAPES)('gets the answers that it was made for, of %s', async (_, url) => {
    await expectPromisedAnswers(exchanges, url())
  })

  it('leaves what it saved, and not what it sent with its widget key', async () => {
    await sendAll(exchanges)
    const config = await (await widgetConfigs.open()).findOne({})
    expect(config).toMatchObject({
      agentName: 'Riya',
      propertyInfo: {
        projectName: 'Nivasa Enchante',
        pricing: expect.arrayContaining([{ configuration: '3.5 BHK', price: '₹ 1.4 Cr' }]),
      },
      revision: 2,
      createdAt: new Date('2025-09-01T00:00:00.000Z'),
    })
    expect(config).not.toHaveProperty('__v')
    expect(await (await leads.open()).findOne({})).toMatchObject({ status: 'contacted' })
  })
})
