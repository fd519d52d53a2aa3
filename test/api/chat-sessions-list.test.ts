import { ObjectId } from 'mongodb'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import sessionRoute from '../../api/chat-sessions/[id].js'
import sessionsRoute from '../../api/chat-sessions/index.js'
import leadsRoute from '../../api/leads/index.js'
import { createApiKey } from '../../lib/domain/accounts/api-keys.js'
import { ChatSession, chatSessions, type PublicChatSession } from '../../lib/domain/chats/chat-sessions.js'
import { type ChatSessionPage, listChatSessions } from '../../lib/domain/chats/session-list.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { costOf, listenToCommands, type SentCommand } from '../support/fixtures/commands.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

interface Answer extends Wire<ChatSessionPage> {
  session: Wire<PublicChatSession>
  details?: ErrorDetail[]
}

const list = (query: Record<string, unknown> = {}, token = adminToken()) => {
  const pairs = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
  return call<Answer>(sessionsRoute, 'GET', `/api/chat-sessions?${new URLSearchParams(pairs)}`, { token })
}

const get = (id: unknown, token = adminToken()) =>
  call<Answer>(sessionRoute, 'GET', `/api/chat-sessions/${id}`, { token })

let made = 0

function storedSession(overrides: Partial<ChatSession> = {}): ChatSession {
  const createdAt = overrides.createdAt ?? new Date()
  return ChatSession.parse({
    _id: new ObjectId(),
    sessionId: `s${made++}`,
    microsite: 'nivasa-enchante',
    projectId: 'nivasa-enchante',
    conversation: [{ id: '1', type: 'user', text: 'hi' }],
    metadata: {},
    createdAt,
    updatedAt: createdAt,
    ...overrides,
  })
}

async function store(...documents: ChatSession[]) {
  const all = testDatabase().db.collection<ChatSession>(chatSessions.name)
  for (let i = 0; i < documents.length; i += 500) await all.insertMany(documents.slice(i, i + 500))
}

const idsOf = ({ body }: { body: Answer }) => body.items.map(({ sessionId }) => sessionId)

const on = (day: number) => new Date(Date.UTC(2026, 2, day, 12))

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('the list of chats', () => {
  it('shows each whole, under both names of its id and without what is ours', async () => {
    const session = storedSession({ ownerId: new ObjectId(), leadId: new ObjectId(), phone: '+919876501234' })
    await store(session)
    const { status, body } = await list()
    expect(status).toBe(200)
    const { ownerId: _owner, ...shown } = session
    expect(body).toEqual({
      items: [
        {
          ...shown,
          id: session._id.toHexString(),
          _id: session._id.toHexString(),
          leadId: session.leadId?.toHexString(),
          conversation: [{ id: '1', type: 'user', text: 'hi', role: 'user' }],
          createdAt: session.createdAt.toISOString(),
          updatedAt: session.updatedAt.toISOString(),
        },
      ],
      total: 1,
      nextCursor: null,
    })
    expect((await get(session._id)).body.session).toEqual(body.items[0])
  })

  it('shows a chat of the old system, which has no session id, under that of its document', async () => {
    const { sessionId: _none, ...old } = storedSession()
    await store(ChatSession.parse(old))

    const id = old._id.toHexString()
    expect((await list()).body.items).toMatchObject([{ id, sessionId: id }])
    expect((await get(id)).body.session).toMatchObject({ id, sessionId: id })
  })

  it('takes a plus that its client did not encode for one, which arrives as a space', async () => {
    const session = storedSession({ phone: '+14155550123' })
    await store(session, storedSession({ phone: '+919876501234' }))

    for (const phone of ['+14155550123', '%2B14155550123', '%20%2B1%20415-555-0123']) {
      const path = `/api/chat-sessions?phone=${phone}`
      const found = await call<Answer>(sessionsRoute, 'GET', path, { token: adminToken() })
      expect([phone, found.status, idsOf(found)]).toEqual([phone, 200, [session.sessionId]])
    }
    expect(idsOf(await list({ phone: ' 098765 01234' }))).toHaveLength(1)
  })

  it('shows a lead’s chat by the lead, under its phone in any format', async () => {
    const { body } = await call<{ lead: { id: string } }>(leadsRoute, 'POST', '/api/leads', {
      body: leadSubmission(),
    })
    await backgroundTasksDone()
    await store(storedSession(), storedSession({ phone: '+919876509999', leadId: new ObjectId() }))
    const sessionId = `lead:${body.lead.id}`
    for (const query of [
      { leadId: body.lead.id },
      { phone: '+919876501234' },
      { phone: '098765 01234' },
      { leadId: body.lead.id, phone: '9876501234', microsite: 'nivasa-enchante' },
    ])
      expect(idsOf(await list(query))).toEqual([sessionId])
    expect(idsOf(await list({ leadId: body.lead.id, microsite: 'elsewhere' }))).toEqual([])
  })

  it('narrows by microsite and by whole days, newest first', async () => {
    await store(
      storedSession({ sessionId: 'a', createdAt: on(1) }),
      storedSession({ sessionId: 'b', createdAt: on(2), microsite: 'Lake.View' }),
      storedSession({ sessionId: 'c', createdAt: on(3) }),
      storedSession({ sessionId: 'd', createdAt: on(4) }),
    )
    expect(idsOf(await list())).toEqual(['d', 'c', 'b', 'a'])
    expect(idsOf(await list({ microsite: 'Lake.View' }))).toEqual(['b'])
    const span = await list({ startDate: '2026-03-02', endDate: '2026-03-03' })
    expect(idsOf(span)).toEqual(['c', 'b'])
    expect(span.body.total).toBe(2)
    expect(idsOf(await list({ endDate: '2026-03-03', microsite: 'nivasa-enchante' }))).toEqual(['c', 'a'])
  })

  it('is complete and without repeats, page by page while chats arrive', async () => {
    const early = Array.from({ length: 11 }, (_, i) =>
      storedSession({ createdAt: on(1 + Math.floor(i / 4)) }),
    )
    await store(...early)
    const whole = idsOf(await list())
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const answer: Awaited<ReturnType<typeof list>> = await list({ limit: 3, ...(cursor && { cursor }) })
      seen.push(...idsOf(answer))
      cursor = answer.body.nextCursor
      await store(storedSession({ createdAt: on(20) }))
    } while (cursor !== null)
    expect(whole).toHaveLength(11)
    expect(seen).toEqual(whole)
  })

  it.each([
    ['leadId', 'x'],
    ['phone', '1'],
    ['startDate', 'yesterday'],
    ['limit', '201'],
    ['skip', '10001'],
    ['cursor', 'x'],
  ])('refuses %s=%s by name', async (name, value) => {
    const { status, body } = await list({ [name]: value })
    expect(status).toBe(400)
    expect(body.details?.map(({ path }) => path)).toEqual([`query.${name}`])
  })
})

describe('who sees a chat', () => {
  it('is its owner, an admin, and a key that reaches it', async () => {
    const [owner, other] = [await createTestUser(), await createTestUser()]
    const own = storedSession({
      sessionId: 'own',
      ownerId: owner.user._id,
      phone: '+919876501234',
      microsite: 'a',
    })
    const others = storedSession({
      sessionId: 'others',
      ownerId: other.user._id,
      phone: '+919876501234',
      microsite: 'a',
    })
    await store(own, others)
    const key = async (scopes: ('leads:read' | 'leads:write')[], microsites: string[]) =>
      (await createApiKey({ scopes, microsites }, undefined, new Date())).key
    for (const query of [{}, { microsite: 'a' }, { phone: '9876501234' }, { startDate: '2020-01-01' }]) {
      expect(idsOf(await list(query, owner.token))).toEqual(['own'])
      expect((await list(query, owner.token)).body.total).toBe(1)
      expect((await list(query)).body.total).toBe(2)
      expect((await list(query, await key(['leads:read'], ['a']))).body.total).toBe(2)
      expect((await list(query, await key(['leads:read'], ['b']))).body.total).toBe(0)
    }
    expect((await get(own._id, owner.token)).status).toBe(200)
    for (const token of [owner.token, await key(['leads:read'], ['b'])]) {
      const refused = await get(others._id, token)
      expect(refused.status).toBe(404)
      expect(refused.text).not.toContain('others')
    }
    expect((await list({}, await key(['leads:write'], ['a']))).status).toBe(403)
    expect((await list({}, '')).status).toBe(401)
    expect((await get(own._id, '')).status).toBe(401)
  })

  it.each(['x', 'a'.repeat(12), 'z'.repeat(24), `${'0'.repeat(24)}0`])('is nobody by the id %s', async id => {
    expect((await get(id)).status).toBe(404)
  })
})

// What a plan is called, and what it counts, is the engine's own.
describe.runIf(testDatabase().kind === 'embedded')('what a page of 5,000 chats costs', () => {
  const ownerId = new ObjectId()
  const leadId = new ObjectId()
  let sent: SentCommand[]

  beforeAll(async () => {
    sent = await listenToCommands()
  })
  beforeEach(async () => {
    await store(
      ...Array.from({ length: 5_000 }, (_, i) =>
        storedSession({
          createdAt: new Date(Date.UTC(2026, 0, 1) + i * 60_000),
          microsite: `site${i % 10}`,
          phone: `+91987650${String(i % 500).padStart(4, '0')}`,
          ...(i % 5 === 0 && { ownerId }),
          ...(i === 2_500 && { leadId }),
        }),
      ),
    )
  })

  it('is a key and a document for each that is shown, or counted', async () => {
    const page = { limit: 50, skip: 0 }
    const costs: [string, number, number][] = []
    const ask = async (name: string, scope: Parameters<typeof listChatSessions>[0], query: object) => {
      sent.length = 0
      const { total } = await listChatSessions(scope, { ...page, ...query })
      for (const command of sent.filter(({ collection }) => collection === chatSessions.name)) {
        const { stages, keys, documents } = await costOf(command)
        expect({ name, stages }).toEqual({ name, stages: expect.not.arrayContaining(['COLLSCAN']) })
        expect({ name, stages }).toEqual({ name, stages: expect.not.arrayContaining(['SORT']) })
        const most = command.name === 'find' ? Math.min(total, 51) : total
        expect({ name, within: keys <= most && documents <= most, keys, documents }).toMatchObject({
          within: true,
        })
      }
      costs.push([name, total, sent.length])
    }
    await ask('everything', {}, {})
    await ask('an owner', { ownerIds: [ownerId] }, {})
    await ask('a microsite', {}, { microsite: 'site3' })
    await ask('a phone', {}, { phone: '+919876500007' })
    await ask('a lead', {}, { leadId })
    await ask('a span', {}, { startDate: new Date('2026-01-02'), endDate: new Date('2026-01-03') })
    expect(costs.map(([name, total]) => [name, total])).toEqual([
      ['everything', 5_000],
      ['an owner', 1_000],
      ['a microsite', 500],
      ['a phone', 10],
      ['a lead', 1],
      ['a span', 1_441],
    ])
  })
})
