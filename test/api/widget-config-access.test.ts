import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import revisionsRoute from '../../api/widget-config/[projectId]/revisions.js'
import rollbackRoute from '../../api/widget-config/[projectId]/rollback.js'
import configRoute from '../../api/widget-config/[projectId].js'
import { createApiKey, type Scope } from '../../lib/domain/accounts/api-keys.js'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { type EventCount, eventCounts } from '../../lib/domain/events/event-counts.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { handOver } from '../../lib/domain/widgets/project-ownership.js'
import { type PublicWidgetConfig, widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { storedLead } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { adminToken, type CallOptions, call } from '../support/request.js'
import { createTestUser, type TestUser } from '../support/users.js'

type Config = PublicWidgetConfig & { code?: string; details?: ErrorDetail[] }

const put = (projectId: string, body: unknown, options: CallOptions) =>
  call<Config>(configRoute, 'PUT', `/api/widget-config/${projectId}`, { body, ...options })
const stored = async (projectId: string) => (await widgetConfigs.open()).findOne({ projectId })

async function keyOf(user: TestUser | undefined, scopes: Scope[], microsites?: string[]) {
  const { key } = await createApiKey(
    { scopes, ...(microsites && { microsites }) },
    user?.user._id,
    new Date(),
  )
  return { 'x-api-key': key }
}

/** Everything that is stored of the site half, to compare with afterwards. */
async function everything() {
  const names = ['widgetconfigs', 'leads', 'chatsessions', 'eventcounts']
  const { db } = testDatabase()
  return Promise.all(names.map(name => db.collection(name).find().sort({ _id: 1 }).toArray()))
}

let alice: TestUser
let bob: TestUser

beforeEach(async () => {
  await emptyDatabase()
  alice = await createTestUser()
  bob = await createTestUser()
  const ownerId = alice.user._id
  await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ ownerId, domains: ['nivasa.example'] }))
  await (await leads.open()).insertOne(storedLead({ ownerId }))
  const _id: EventCount['_id'] = {
    projectId: 'nivasa-enchante',
    microsite: 'nivasa-enchante',
    type: 'chatsShown',
    day: '2026-11-20',
  }
  await (await eventCounts.open()).insertOne({ _id, count: 5 })
  // What nobody owns yet.
  await (await leads.open()).insertOne(
    storedLead({ projectId: 'captured-project', microsite: 'captured-site' }),
  )
})

describe('a user', () => {
  it('creates a project whose id is free, and owns it from then on', async () => {
    const { status } = await put('free', { agentName: 'Riya' }, bob)
    expect(status).toBe(200)
    expect((await stored('free'))?.ownerId).toEqual(bob.user._id)
    expect((await put('free', { agentName: 'Asha' }, alice)).status).toBe(404)
    expect((await put('free', { agentName: 'Asha' }, bob)).status).toBe(200)
  })

  it.each(['captured-project', 'captured-site'])(
    'gets at no lead by claiming the id that it was captured under: %s',
    async id => {
      expect((await put(id, { agentName: 'Mine' }, bob)).status).toBe(404)
      expect(await stored(id)).toBeNull()
    },
  )

  it('gets at no chat that way either', async () => {
    const chat = {
      _id: new ObjectId(),
      sessionId: 's',
      microsite: 'chatted',
      projectId: 'chatted',
      conversation: [],
      metadata: {},
      createdAt: new Date(),
      updatedAt: new Date(),
    }
    await (await chatSessions.open()).insertOne(chat)
    expect((await put('chatted', { agentName: 'Mine' }, bob)).status).toBe(404)
  })

  it.each(['seen-project', 'seen-site'])('gets at no count that way: %s', async id => {
    const seen = { projectId: 'seen-project', microsite: 'seen-site', type: 'chatsShown' as const }
    await (await eventCounts.open()).insertOne({ _id: { ...seen, day: '2026-11-20' }, count: 7 })
    expect((await put(id, { agentName: 'Mine' }, bob)).status).toBe(404)
    expect(await stored(id)).toBeNull()
  })

  it('gets at no event that is still to be counted', async () => {
    const event = { type: 'cta_selected', projectId: 'seen-project', microsite: 'elsewhere' }
    expect((await call(eventsRoute, 'POST', '/api/events', { body: event })).status).toBe(201)
    expect((await put('seen-project', { agentName: 'Mine' }, bob)).status).toBe(404)
  })

  it.each([() => bob.user._id.toHexString(), () => null])(
    'gives no project to anybody, its own neither',
    async ownerId => {
      const before = await everything()
      expect((await put('nivasa-enchante', { ownerId: ownerId() }, alice)).status).toBe(403)
      expect((await put('free', { ownerId: ownerId() }, bob)).status).toBe(403)
      expect(await everything()).toEqual(before)
    },
  )

  it('draws no visitors of a project that is named after its domain, by listing that', async () => {
    const ownerId = alice.user._id
    const id = 'skyline.example'
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ projectId: id, ownerId }))
    const claim = (by: CallOptions) => put('mine', { domains: ['b.example', 'www.Skyline.example'] }, by)

    const refused = await claim(bob)
    expect(refused.status).toBe(409)
    expect(refused.body.details?.map(({ path }) => path)).toEqual(['domains'])
    expect(await stored('mine')).toBeNull()
    expect((await put(id, { domains: [id] }, alice)).status).toBe(200)
    await put(id, { domains: [] }, alice)
    expect((await claim(alice)).status).toBe(200)
  })

  it('keeps no other from saving its form by creating a project named after their domain', async () => {
    expect((await put('nivasa.example', { agentName: 'X' }, { token: adminToken() })).status).toBe(200)
    const form = await call<Config>(configRoute, 'GET', '/api/widget-config/nivasa-enchante')
    expect((await put('nivasa-enchante', form.body, alice)).status).toBe(200)
  })

  it.each(['nivasa.example', 'www.nivasa.example', 'default'])(
    'draws no visitors of others by creating the project that they are taken for: %s',
    async id => {
      expect((await put(id, { agentName: 'X' }, bob)).status).toBe(404)
      expect(await stored(id)).toBeNull()
      expect((await put(id, { agentName: 'X' }, { token: adminToken() })).status).toBe(200)
    },
  )

  it('creates a project named after a domain that another one of its own lists', async () => {
    expect((await put('nivasa.example', { agentName: 'X' }, alice)).status).toBe(200)
  })

  it.each(['captured.example', 'www.captured.example'])(
    'draws no visitors of %s, which nobody has configured, by listing their domain',
    async projectId => {
      await (await leads.open()).insertOne(storedLead({ projectId, microsite: projectId }))
      expect((await put('mine', { domains: ['captured.example'] }, bob)).status).toBe(409)
      expect(await stored('mine')).toBeNull()
      expect((await put('mine', { domains: ['captured.example'] }, { token: adminToken() })).status).toBe(200)
    },
  )

  it.each([
    ['skyline.example', 'www.skyline.example'],
    ['www.skyline.example', 'skyline.example'],
  ])('draws no visitors of the project %s by creating %s', async (projectId, twin) => {
    const ownerId = alice.user._id
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ projectId, ownerId }))
    expect((await put(twin, { agentName: 'X' }, bob)).status).toBe(404)
    expect(await stored(twin)).toBeNull()
    expect((await put(twin, { agentName: 'X' }, alice)).status).toBe(200)
  })

  it('draws no visitors of a domain that was captured on, by creating its project with www.', async () => {
    const projectId = 'captured.example'
    await (await leads.open()).insertOne(storedLead({ projectId, microsite: projectId }))
    expect((await put('www.captured.example', { agentName: 'X' }, bob)).status).toBe(404)
  })

  it('lists a domain that its own project has captured on', async () => {
    await (await leads.open()).insertOne(storedLead({ microsite: 'lake.example', ownerId: alice.user._id }))
    expect(
      (await put('nivasa-enchante', { domains: ['nivasa.example', 'lake.example'] }, alice)).status,
    ).toBe(200)
  })

  it('writes nothing more once the project is another’s, however little too late', async () => {
    const open = widgetConfigs.openGuarded.bind(widgetConfigs)
    vi.spyOn(widgetConfigs, 'openGuarded').mockImplementationOnce(async () => {
      await handOver('nivasa-enchante', bob.user._id, new Date())
      return open()
    })
    expect((await put('nivasa-enchante', { agentName: 'Late' }, alice)).status).toBe(404)
    expect(await stored('nivasa-enchante')).not.toHaveProperty('agentName')
  })
})

describe('an admin', () => {
  const admins: [string, () => Promise<CallOptions>][] = [
    ['the bootstrap token', async () => ({ token: adminToken() })],
    ['an account', async () => createTestUser({ role: 'admin' })],
  ]
  const leadsSeenBy = async (user: TestUser) => {
    const { body } = await call<{ total: number }>(leadsRoute, 'GET', '/api/leads', user)
    return body.total
  }

  it.each(admins)('by %s changes any project, and gives and takes it with its leads', async (_, as) => {
    const admin = await as()
    expect((await put('nivasa-enchante', { agentName: 'Riya' }, admin)).status).toBe(200)
    expect((await stored('nivasa-enchante'))?.ownerId).toEqual(alice.user._id)

    const ownerId = bob.user._id.toHexString()
    expect((await put('nivasa-enchante', { ownerId }, admin)).status).toBe(200)
    expect([await leadsSeenBy(alice), await leadsSeenBy(bob)]).toEqual([0, 1])

    expect((await put('nivasa-enchante', { ownerId: null }, admin)).status).toBe(200)
    expect([await leadsSeenBy(alice), await leadsSeenBy(bob)]).toEqual([0, 0])
  })

  it('gives it to a user whose id is written in capitals, as every route takes it', async () => {
    const ownerId = bob.user._id.toHexString().toUpperCase()
    expect((await put('nivasa-enchante', { ownerId }, { token: adminToken() })).status).toBe(200)
    expect((await stored('nivasa-enchante'))?.ownerId).toEqual(bob.user._id)
  })

  it('makes a project of what was captured before, and gives it away in one request', async () => {
    const ownerId = bob.user._id.toHexString()
    const { status } = await put('captured-project', { ownerId }, { token: adminToken() })
    expect(status).toBe(200)
    expect(await leadsSeenBy(bob)).toBe(1)
  })

  it('gives nothing to whom there is not', async () => {
    const before = await everything()
    const ownerId = new ObjectId().toHexString()
    const { status, body } = await put(
      'nivasa-enchante',
      { ownerId, agentName: 'X' },
      { token: adminToken() },
    )
    expect(status).toBe(400)
    expect(body.details?.map(({ path }) => path)).toEqual(['ownerId'])
    expect(await everything()).toEqual(before)
  })
})

describe('another owner', () => {
  const callers: [string, () => Promise<CallOptions>][] = [
    ['signed in', async () => bob],
    ['with a key of its own', async () => ({ headers: await keyOf(bob, ['widgets:write', 'leads:read']) })],
    [
      'with a key of its own that names the microsite',
      async () => ({ headers: await keyOf(bob, ['widgets:write', 'leads:read'], ['nivasa-enchante']) }),
    ],
    [
      'with a key of the deployment for another microsite',
      async () => ({ headers: await keyOf(undefined, ['widgets:write', 'leads:read'], ['other']) }),
    ],
  ]

  it.each(callers)('%s sees and changes nothing', async (_, as) => {
    const options = await as()
    const before = await everything()
    const path = '/api/widget-config/nivasa-enchante'

    for (const method of ['PUT', 'POST'])
      for (const body of [{ agentName: 'X' }, { propertyInfo: { a: 1 } }, { domains: [], revision: 1 }, {}])
        expect((await call(configRoute, method, path, { body, ...options })).status).toBe(404)
    const history = await call(revisionsRoute, 'GET', `${path}/revisions`, options)
    const rollback = await call(rollbackRoute, 'POST', `${path}/rollback`, {
      body: { revision: 1 },
      ...options,
    })
    expect([history.status, rollback.status]).toEqual([404, 404])
    expect(await everything()).toEqual(before)
  })

  it.each(callers)('%s is told the same of it as of what there is not', async (_, as) => {
    const options = await as()
    for (const [route, method, rest, body] of [
      [revisionsRoute, 'GET', 'revisions', undefined],
      [rollbackRoute, 'POST', 'rollback', { revision: 1 }],
    ] as const) {
      const of = (projectId: string) =>
        call<{ requestId: string }>(route, method, `/api/widget-config/${projectId}/${rest}`, {
          ...options,
          ...(body && { body }),
        })
      const [theirs, nobodys] = [await of('nivasa-enchante'), await of('not-there')]
      expect({ ...theirs.body, requestId: '' }).toEqual({ ...nobodys.body, requestId: '' })
    }
  })

  it.each(callers)('%s finds no event of it in any summary', async (_, as) => {
    const options = await as()
    const none = { chatsShown: 0, chatsStarted: 0, leadsCaptured: 0 }
    for (const query of ['', '?projectId=nivasa-enchante', '?microsite=nivasa-enchante', '?from=2026-11-20'])
      expect((await call(eventsRoute, 'GET', `/api/events${query}`, options)).body).toEqual(none)
  })
})

describe('an API key', () => {
  it.each([
    ['of the deployment', () => keyOf(undefined, ['widgets:write']), 200],
    [
      'of the deployment for this project',
      () => keyOf(undefined, ['widgets:write'], ['nivasa-enchante']),
      200,
    ],
    ['of its owner', () => keyOf(alice, ['widgets:write']), 200],
    ['of its owner for this project', () => keyOf(alice, ['widgets:write'], ['nivasa-enchante']), 200],
    ['of its owner for another project', () => keyOf(alice, ['widgets:write'], ['other']), 404],
    ['of its owner without the scope', () => keyOf(alice, ['leads:read', 'leads:write']), 403],
  ])('%s may do what it is for', async (_, makeKey, expected) => {
    const headers = await makeKey()
    const path = '/api/widget-config/nivasa-enchante'
    const history = await call(revisionsRoute, 'GET', `${path}/revisions`, { headers })
    expect([
      (await put('nivasa-enchante', { agentName: 'Riya' }, { headers })).status,
      history.status,
    ]).toEqual([expected, expected])
    expect((await stored('nivasa-enchante'))?.agentName).toBe(expected === 200 ? 'Riya' : undefined)
  })

  it.each([
    ['of the deployment', () => keyOf(undefined, ['widgets:write'])],
    ['of an owner', () => keyOf(alice, ['widgets:write'])],
  ])('%s gives no project away, and takes none', async (_, makeKey) => {
    const headers = await makeKey()
    const before = await everything()
    for (const ownerId of [bob.user._id.toHexString(), null])
      for (const id of ['nivasa-enchante', 'free'])
        expect((await put(id, { ownerId }, { headers })).status).toBe(403)
    expect(await everything()).toEqual(before)
  })

  it.each([
    ['of the deployment may', () => keyOf(undefined, ['widgets:write']), 200],
    ['of an owner may not', () => keyOf(alice, ['widgets:write']), 404],
  ])('%s configure what was captured for nobody yet', async (_, makeKey, expected) => {
    const headers = await makeKey()
    expect((await put('captured-project', { agentName: 'X' }, { headers })).status).toBe(expected)
    expect((await stored('captured-project'))?.ownerId).toBeUndefined()
  })

  it('limited to microsites creates those only, for its owner, and gives none away', async () => {
    const headers = await keyOf(undefined, ['widgets:write'], ['free', 'captured-project'])
    expect((await put('other', { agentName: 'X' }, { headers })).status).toBe(404)
    expect((await put('captured-project', { agentName: 'X' }, { headers })).status).toBe(404)
    expect((await put('free', { ownerId: bob.user._id.toHexString() }, { headers })).status).toBe(403)
    expect((await put('free', { agentName: 'X' }, { headers })).status).toBe(200)

    const own = await keyOf(bob, ['widgets:write'], ['free-too'])
    expect((await put('free-too', { agentName: 'X' }, { headers: own })).status).toBe(200)
    expect((await stored('free-too'))?.ownerId).toEqual(bob.user._id)
  })
})
