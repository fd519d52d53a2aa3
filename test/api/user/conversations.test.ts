import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import callRoute from '../../../api/user/conversations/[sessionId].js'
import listRoute from '../../../api/user/conversations/index.js'
import type { ConversationPage, WholeConversation } from '../../../lib/domain/calls/conversation-history.js'
import type { ConversationTurn } from '../../../lib/domain/calls/conversation-turns.js'
import type { Conversation } from '../../../lib/domain/calls/conversations.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { oldConversation, storedConversation } from '../../support/fixtures/calls.js'
import { costOf, listenToCommands } from '../../support/fixtures/commands.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { call } from '../../support/request.js'
import { createTestUser, type TestUser } from '../../support/users.js'

interface Answer<T> {
  data: Wire<T>
}

const db = () => testDatabase().db
const START = Date.parse('2026-03-01T00:00:00.000Z')
const minute = (i: number) => new Date(START + i * 60_000)

let asha: TestUser
beforeEach(async () => {
  await emptyDatabase()
  asha = await createTestUser()
})

const list = (query: Record<string, string> = {}, { token } = asha) =>
  call<Answer<ConversationPage>>(listRoute, 'GET', `/api/user/conversations?${new URLSearchParams(query)}`, {
    token,
  })

const read = (sessionId: string, query: Record<string, string> = {}, { token } = asha) =>
  call<Answer<WholeConversation>>(
    callRoute,
    'GET',
    `/api/user/conversations/${encodeURIComponent(sessionId)}?${new URLSearchParams(query)}`,
    { token },
  )

async function store(...calls: Partial<Conversation>[]) {
  const own = calls.map(one => storedConversation({ userId: asha.user._id, ...one }))
  await db().collection('conversations').insertMany(own)
}

/** Turns of a call a second apart, stored the last one first. */
async function storeTurns(sessionId: string, count: number, own: Partial<ConversationTurn> = {}) {
  const turns = Array.from({ length: count }, (_, i) => ({
    _id: new ObjectId(),
    userId: asha.user._id,
    sessionId,
    at: new Date(START + i * 1000),
    userMessage: `turn ${i}`,
    metadata: { ttsTime: i + 1 },
    createdAt: minute(0),
    ...own,
  }))
  await db().collection('conversationturns').insertMany(turns.reverse())
}

const sessions = ({ body }: { body: Answer<ConversationPage> }) =>
  body.data.items.map(({ sessionId }) => sessionId)

describe('the history', () => {
  it('has the calls newest first, ten at a time, without their turns', async () => {
    await store(...Array.from({ length: 23 }, (_, i) => ({ sessionId: `s${i}`, createdAt: minute(i) })))
    await storeTurns('s22', 3)
    const seen: string[] = []
    let page = await list()
    expect(page.body.data.items).toHaveLength(10)
    expect(page.body.data.items[0]).not.toHaveProperty('turns')
    seen.push(...sessions(page))
    // What arrives meanwhile belongs before what was read.
    await store({ sessionId: 'late', createdAt: minute(99) })
    while (page.body.data.nextCursor) {
      page = await list({ cursor: page.body.data.nextCursor })
      seen.push(...sessions(page))
    }
    expect(seen).toEqual(Array.from({ length: 23 }, (_, i) => `s${22 - i}`))
  })

  it('pages through calls of one moment without losing any', async () => {
    await store(...Array.from({ length: 7 }, (_, i) => ({ sessionId: `s${i}`, createdAt: minute(0) })))
    const first = await list({ limit: '4' })
    const second = await list({ limit: '4', cursor: first.body.data.nextCursor ?? '' })
    expect(new Set([...sessions(first), ...sessions(second)]).size).toBe(7)
    expect(second.body.data.nextCursor).toBeNull()
  })

  it('ends a page before it is too large to send, and has the rest on the next one', async () => {
    // Six bytes of JSON for each of them.
    const [userMessage, aiResponse] = ['\u0001'.repeat(20_000), '\u0002'.repeat(20_000)]
    const long = { userMessage, aiResponse }
    await store(
      ...Array.from({ length: 40 }, (_, i) => ({ sessionId: `s${i}`, createdAt: minute(i), ...long })),
    )
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await list({ limit: '200', ...(cursor && { cursor }) })
      expect(Buffer.byteLength(page.text)).toBeLessThan(4_000_000)
      for (const item of page.body.data.items) expect(item).toMatchObject(long)
      seen.push(...sessions(page))
      cursor = page.body.data.nextCursor
    }
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => `s${39 - i}`))
  })

  it('is filtered by status, caller and days', async () => {
    await store(
      { sessionId: 'a', createdAt: new Date('2026-03-01T23:59:59.999Z'), status: 'failed' },
      { sessionId: 'b', createdAt: new Date('2026-03-02T00:00:00.000Z'), phoneNumber: '+1234567890' },
      { sessionId: 'c', createdAt: new Date('2026-03-03T23:59:59.999Z'), phoneNumber: 'anonymous' },
      { sessionId: 'd', createdAt: new Date('2026-03-04T00:00:00.000Z') },
    )
    expect(sessions(await list({ status: 'failed' }))).toEqual(['a'])
    expect(sessions(await list({ phoneNumber: '098765 01234' }))).toEqual(['d', 'a'])
    expect(sessions(await list({ phoneNumber: '+1234567890' }))).toEqual(['b'])
    expect(sessions(await list({ phoneNumber: 'anonymous' }))).toEqual(['c'])
    expect(sessions(await list({ from: '2026-03-02', to: '2026-03-03' }))).toEqual(['c', 'b'])
    expect(sessions(await list({ from: '2026-03-03T23:59:59.999Z' }))).toEqual(['d', 'c'])
    expect(sessions(await list({ status: 'completed', phoneNumber: '+919876501234' }))).toEqual(['d'])
    const answer = await call<{ data: object }>(
      listRoute,
      'GET',
      '/api/user/conversations?phoneNumber=+1234567890',
      {
        token: asha.token,
      },
    )
    expect(answer.body.data).toMatchObject({ items: [{ sessionId: 'b' }] })
  })

  it.each([
    { status: 'ringing' },
    { limit: '0' },
    { limit: '201' },
    { cursor: 'x' },
    { from: 'yesterday' },
    { phoneNumber: 'x'.repeat(65) },
  ])('refuses %j', async query => {
    expect((await list(query as Record<string, string>)).status).toBe(400)
  })

  it('reads no more than a page, however it is filtered and however deep', async () => {
    const calls = Array.from({ length: 400 }, (_, i) => ({
      sessionId: `s${i}`,
      createdAt: minute(i),
      status: i % 4 ? ('completed' as const) : ('failed' as const),
      phoneNumber: i % 5 ? '+919876501234' : '+1234567890',
    }))
    await store(...calls, ...calls.map((one, i) => ({ ...one, sessionId: `o${i}`, userId: new ObjectId() })))
    const cursor = `${minute(100).getTime().toString(36)}.${'f'.repeat(24)}`
    const queries = [
      { cursor },
      { cursor, status: 'failed' },
      { cursor, phoneNumber: '+1234567890' },
      { from: '2026-03-01T02:00:00Z', to: '2026-03-01T03:00:00Z' },
    ]
    for (const query of queries) {
      const commands = await listenToCommands()
      expect(sessions(await list(query))).toHaveLength(10)
      const [sent] = commands.filter(
        ({ name, collection }) => name === 'find' && collection === 'conversations',
      )
      if (!sent) throw new Error('nothing was asked')
      if (testDatabase().kind === 'given') continue
      const { stages, keys, documents } = await costOf(sent)
      expect(stages).not.toContain('SORT')
      // The page, and the one that says that there are more.
      expect([keys, documents]).toEqual([11, 11])
    }
  })
})

describe('one call', () => {
  it('has its turns in the order of their time, and how long they took', async () => {
    await store({ sessionId: 'a/b?c', callSid: 'CA1' })
    await storeTurns('a/b?c', 20)
    const { status, body } = await read('a/b?c')
    expect(status).toBe(200)
    expect(body.data.turns.map(({ userMessage }) => userMessage)).toEqual(
      Array.from({ length: 20 }, (_, i) => `turn ${i}`),
    )
    expect(body.data).toMatchObject({
      callSid: 'CA1',
      nextCursor: null,
      metrics: { ttsTime: { p50: 10, p95: 19 }, responseTime: null },
    })
  })

  it('of thousands of turns comes in pages, each with the metrics of all', async () => {
    await store({ sessionId: 'long' })
    await storeTurns('long', 2_500)
    const seen: (string | null)[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await read('long', { limit: '1000', ...(cursor && { cursor }) })
      seen.push(...body.data.turns.map(({ userMessage }) => userMessage))
      expect(body.data.metrics.ttsTime).toEqual({ p50: 1_250, p95: 2_375 })
      cursor = body.data.nextCursor
    }
    expect(seen).toEqual(Array.from({ length: 2_500 }, (_, i) => `turn ${i}`))
  })

  it('pages through turns of one moment, and ends a page before it is too large to send', async () => {
    await store({ sessionId: 'loud' })
    await storeTurns('loud', 250, { at: minute(0), userMessage: 'ё'.repeat(20_000) })
    const ids = new Set<string>()
    let pages = 0
    for (let cursor: string | null = ''; cursor !== null; pages++) {
      const { text, body } = await read('loud', cursor ? { cursor } : {})
      expect(Buffer.byteLength(text)).toBeLessThan(4_000_000)
      for (const { id } of body.data.turns) ids.add(id)
      cursor = body.data.nextCursor
    }
    expect(ids.size).toBe(250)
    expect(pages).toBeGreaterThan(2)
  })

  it('of the old system reads as the turn that it kept', async () => {
    const old = oldConversation(asha.user._id)
    // Like others of its kind it has a callSid that is null.
    await db()
      .collection('conversations')
      .insertMany([old, oldConversation(new ObjectId())])
    const { body } = await read(old.sessionId)
    const { userMessage, aiResponse, audioUrl, responseAudioUrl, metadata } = old
    const createdAt = old.createdAt.toISOString()
    expect(body.data).toEqual({
      id: String(old._id),
      _id: String(old._id),
      sessionId: old.sessionId,
      callSid: null,
      phoneNumber: '+1234567890',
      status: 'completed',
      startedAt: createdAt,
      endedAt: null,
      duration: null,
      userMessage,
      aiResponse,
      createdAt,
      updatedAt: old.updatedAt.toISOString(),
      metrics: {
        transcriptionTime: { p50: 200, p95: 200 },
        responseTime: { p50: 900, p95: 900 },
        ttsTime: { p50: 300, p95: 300 },
        totalProcessingTime: { p50: 1_400, p95: 1_400 },
      },
      turns: [
        {
          id: String(old._id),
          turnId: null,
          at: createdAt,
          userMessage,
          aiResponse,
          audioUrl,
          responseAudioUrl,
          metadata,
        },
      ],
      nextCursor: null,
    })
    expect(sessions(await list())).toEqual([old.sessionId])
  })

  it('of the old system that the agent began reads as what it said', async () => {
    const old = { ...oldConversation(asha.user._id), userMessage: '', audioUrl: '' }
    await db().collection('conversations').insertOne(old)

    const { aiResponse, responseAudioUrl } = old
    const turn = { userMessage: null, aiResponse, audioUrl: null, responseAudioUrl }
    expect((await read(old.sessionId)).body.data.turns).toMatchObject([turn])
  })
})

describe('calls of others', () => {
  it('are not there', async () => {
    const other = await createTestUser()
    await store({ sessionId: 'mine', phoneNumber: '+1234567890' })
    await storeTurns('mine', 2)

    expect(await list({}, other)).toMatchObject({
      status: 200,
      body: { data: { items: [], nextCursor: null } },
    })
    expect(sessions(await list({ phoneNumber: '+1234567890' }, other))).toEqual([])
    const [theirs, none] = [await read('mine', {}, other), await read('none')]
    expect([theirs.status, none.status]).toEqual([404, 404])
    expect(theirs.text.replace(/"requestId":"[^"]*"/, '')).toBe(none.text.replace(/"requestId":"[^"]*"/, ''))
    expect((await call(listRoute, 'GET', '/api/user/conversations')).status).toBe(401)
  })
})
