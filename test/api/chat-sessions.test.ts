import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import sessionsRoute from '../../api/chat-sessions/index.js'
import {
  type ChatSession,
  chatSessions,
  type PublicChatSession,
} from '../../lib/domain/chats/chat-sessions.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import type { Wire } from '../support/fixtures/wire.js'
import { type CallOptions, call } from '../support/request.js'

interface SessionAnswer {
  session: Wire<PublicChatSession>
  details?: ErrorDetail[]
}

const post = (body: unknown, options: CallOptions = {}) =>
  call<SessionAnswer>(sessionsRoute, 'POST', '/api/chat-sessions', { body, ...options })

const said = (id: string, text = id, type = 'user') => ({ id, type, text })

const chat = (overrides: Record<string, unknown> = {}) => ({
  sessionId: 's1',
  microsite: 'nivasa-enchante',
  metadata: { projectId: 'nivasa-enchante' },
  conversation: [said('a'), said('b')],
  ...overrides,
})

const stored = async () => (await chatSessions.open()).find().sort({ createdAt: 1, _id: 1 }).toArray()

async function onlySession(): Promise<ChatSession> {
  const [session, ...others] = await stored()
  expect(others).toEqual([])
  if (!session) throw new Error('There is no session')
  return session
}

const idsOf = ({ conversation }: { conversation: readonly { id?: string | undefined }[] }) =>
  conversation.map(({ id }) => id)

beforeEach(emptyDatabase)

describe('a chat as the widget sends it', () => {
  it('is stored and answered with what was sent', async () => {
    const ownerId = new ObjectId()
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ ownerId }))
    const { phone, bhkType, metadata, conversation } = leadSubmission()
    const { status, body } = await post({ ...chat({ metadata, conversation }), phone, bhkType })

    expect(status).toBe(201)
    const { id } = body.session
    expect(body).toEqual({
      session: {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        _id: id,
        sessionId: 's1',
        microsite: 'nivasa-enchante',
        projectId: 'nivasa-enchante',
        phone: '+919876501234',
        bhkType: '1 BHK',
        metadata,
        conversation: [
          { ...conversation[0], role: 'agent' },
          { ...conversation[1], role: 'user' },
        ],
        createdAt: expect.stringMatching(/Z$/),
        updatedAt: body.session.createdAt,
      },
    })
    expect(await onlySession()).toEqual({
      _id: new ObjectId(id),
      sessionId: 's1',
      microsite: 'nivasa-enchante',
      projectId: 'nivasa-enchante',
      ownerId,
      phone: '+919876501234',
      bhkType: '1 BHK',
      metadata,
      conversation,
      createdAt: new Date(body.session.createdAt),
      updatedAt: new Date(body.session.createdAt),
    })
  })

  it('keeps a phone that cannot be read as it came, as a lead does', async () => {
    const { status, body } = await post({ ...chat(), phone: '98765 4321 (evenings)' })
    expect(status).toBe(201)
    for (const session of [body.session, await onlySession()]) {
      expect(session).toMatchObject({ phoneRaw: '98765 4321 (evenings)' })
      expect(session).not.toHaveProperty('phone')
    }
    await post({ ...chat(), phone: '98765 43210' })
    expect(await onlySession()).toMatchObject({ phone: '+919876543210' })
  })

  it('needs neither an id nor a phone nor a BHK', async () => {
    const { status, body } = await post({ microsite: 'm', conversation: [{ type: 'user', text: 'hi' }] })
    expect(status).toBe(201)
    expect(body.session.sessionId).toMatch(/^[\w-]{20,}$/)
    for (const field of ['phone', 'bhkType', 'leadId', 'ownerId']) {
      expect(body.session).not.toHaveProperty(field)
      expect(await onlySession()).not.toHaveProperty(field)
    }
  })

  it('keeps texts and fields that begin with a dollar as what they are', async () => {
    const texts = ['$conversation', '$$ROOT', '$', '$5,000?', '{"$gt":""}']
    const conversation = texts.map((text, i) => said(`$m${i}`, text, '$type'))
    const sent = chat({ sessionId: '$s', microsite: '$m', metadata: { projectId: '$p' }, conversation })
    await post({ ...sent, metadata: { projectId: '$p', name: '$$NOW', $where: '$x' } })
    await post({ ...sent, conversation: [said('$last', '$$REMOVE')] })

    const session = await onlySession()
    expect(session).toMatchObject({ sessionId: '$s', microsite: '$m', projectId: '$p' })
    expect(session.conversation).toEqual([...conversation, said('$last', '$$REMOVE')])
    const legacy = [{ key: '$where', value: '$x' }]
    expect(session.metadata).toEqual({ projectId: '$p', name: '$$NOW', legacy })
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['no message', { conversation: [] }, 'conversation'],
    ['a conversation that is none', { conversation: 'hello' }, 'conversation'],
    ['the id of a lead’s own chat', { sessionId: 'lead:0123456789abcdef01234567' }, 'sessionId'],
    ['such an id behind spaces', { sessionId: '  lead:x' }, 'sessionId'],
    ['an id of more than 100 characters', { sessionId: 'x'.repeat(101) }, 'sessionId'],
  ])('with %s is refused by name', async (_, overrides, path) => {
    const { status, body } = await post(chat(overrides))
    expect(status).toBe(400)
    expect(body.details?.map(detail => detail.path)).toEqual([path])
    expect(await stored()).toEqual([])
  })

  it.each<[unknown, unknown]>([
    [null, undefined],
    ['', undefined],
    ['  ', undefined],
    [{ $ne: 1 }, undefined],
    [1795326993746, '1795326993746'],
    [' s1 ', 's1'],
  ])('is not lost for the session id %j', async (sessionId, expected) => {
    const { status, body } = await post(chat({ sessionId }))
    expect(status).toBe(201)
    if (expected === undefined) expect(body.session.sessionId).toMatch(/^[\w-]{20,}$/)
    else expect(body.session.sessionId).toBe(expected)
  })

  it('is refused to a page that may not use its project, and stores nothing', async () => {
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ domains: ['nivasa.example'] }))
    expect((await post(chat(), { origin: 'https://elsewhere.example' })).status).toBe(403)
    expect(await stored()).toEqual([])
  })
})

describe('the same session id again', () => {
  it('appends what is new, and is answered with what was sent and no more', async () => {
    const first = await post(chat())
    const again = await post(
      chat({
        conversation: [said('b'), said('c')],
        metadata: { projectId: 'nivasa-enchante', name: 'Asha' },
      }),
    )

    expect(again.status).toBe(200)
    expect(again.body.session.id).toBe(first.body.session.id)
    expect(idsOf(again.body.session)).toEqual(['b', 'c'])
    expect(again.text).not.toContain('"a"')
    const session = await onlySession()
    expect(idsOf(session)).toEqual(['a', 'b', 'c'])
    expect(session.metadata).toEqual({ projectId: 'nivasa-enchante', name: 'Asha' })
    expect(session.createdAt.toISOString()).toBe(first.body.session.createdAt)
    expect(session.updatedAt.toISOString()).toBe(again.body.session.updatedAt)
  })

  it('fills in what was not known, and changes nothing that was', async () => {
    await post(chat())
    await post(chat({ phone: '9876501234', bhk: 2 }))
    await post(chat({ phone: '9876509999', bhk: 3 }))
    expect(await onlySession()).toMatchObject({ phone: '+919876501234', bhkType: '2 BHK' })
  })

  it('fills in what its metadata lacked, up to what any may have', async () => {
    const projectId = 'nivasa-enchante'
    const visitor = { landingPage: '/' }
    await post(chat({ metadata: { projectId, visitor } }))
    await post(chat({ metadata: { projectId, name: 'Asha', visitor: { landingPage: '/other' } } }))
    const known = { projectId, visitor, name: 'Asha' }
    expect((await onlySession()).metadata).toEqual(known)

    await post(chat({ metadata: { projectId, long: 'x'.repeat(15_999) } }))
    expect((await onlySession()).metadata).toEqual(known)
  })

  it('is not the project’s of who goes on with a chat that is nobody’s', async () => {
    const owned = storedWidgetConfig({ projectId: 'mine', ownerId: new ObjectId() })
    await (await widgetConfigs.open()).insertOne(owned)
    await post(chat())
    await post(chat({ metadata: { projectId: 'mine' }, conversation: [said('c')] }))
    expect(await stored()).toMatchObject([
      { projectId: 'nivasa-enchante', conversation: [{ id: 'a' }, { id: 'b' }] },
      { projectId: 'mine', conversation: [{ id: 'c' }] },
    ])
  })

  it('says nothing of a chat to who knows its id only', async () => {
    await post(chat({ phone: '9876501234', metadata: { projectId: 'nivasa-enchante', name: 'Asha' } }))
    const { text, body } = await post(chat({ conversation: [said('z')], metadata: {} }))
    for (const secret of ['9876501234', 'Asha', '"a"']) expect(text).not.toContain(secret)
    expect(body.session.conversation).toHaveLength(1)
  })

  it('appends each message once where 32 come at once', async () => {
    const part = (i: number) => [said(`m${i}`), said(`m${i + 1}`), said('shared')]
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, i) => post(chat({ conversation: part(i) }))),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(31).fill(200), 201])
    const ids = idsOf(await onlySession())
    expect([...ids].sort()).toEqual([...Array.from({ length: 33 }, (_, i) => `m${i}`), 'shared'].sort())
  })

  it('appends a message once that is sent twice in one body', async () => {
    await post(chat({ conversation: [said('a', 'first'), said('b'), said('a', 'second')] }))
    expect((await onlySession()).conversation).toEqual([said('a', 'first'), said('b')])
    await post(chat({ conversation: [said('c'), said('c')] }))
    expect(idsOf(await onlySession())).toEqual(['a', 'b', 'c'])
  })

  it('appends a message once whose id ends in half a character', async () => {
    for (let i = 0; i < 3; i++) await post(chat({ conversation: [said('a\ud83d')] }))
    expect(idsOf(await onlySession())).toEqual(['a\ufffd'])
  })

  it('knows messages without ids by what they say and when', async () => {
    const messages = ['hi', 'yes', 'yes'].map((text, i) => ({ type: 'user', text, timestamp: 1_000 + i }))
    await post(chat({ conversation: messages.slice(0, 2) }))
    await post(chat({ conversation: messages }))
    const { conversation } = await onlySession()
    expect(conversation.map(({ text, timestamp }) => [text, timestamp])).toEqual([
      ['hi', 1_000],
      ['yes', 1_001],
      ['yes', 1_002],
    ])
  })

  it('keeps what is said twice without ids or times, and not again with the whole chat', async () => {
    const conversation = ['yes', 'no', 'yes'].map(text => ({ type: 'user', text }))
    await post(chat({ conversation }))
    await post(chat({ conversation }))
    expect((await onlySession()).conversation.map(({ text }) => text)).toEqual(['yes', 'no', 'yes'])
  })

  it('keeps the last 1,000 messages', async () => {
    const from = (start: number, count: number) =>
      Array.from({ length: count }, (_, i) => said(`${start + i}`))
    await post(chat({ conversation: from(0, 600) }))
    await post(chat({ conversation: from(600, 600) }))
    const ids = idsOf(await onlySession())
    expect(ids).toHaveLength(1_000)
    expect([ids[0], ids.at(-1)]).toEqual(['200', '1199'])
  })

  it('loses no more than what is beyond 100,000 characters', async () => {
    const messages = Array.from({ length: 300 }, (_, i) => said(`${i}`, 'x'.repeat(i === 0 ? 383 : 333)))
    await post(chat({ conversation: messages }))
    await post(chat({ conversation: [said('300', 'x'.repeat(60))] }))
    const { conversation } = await onlySession()
    expect(idsOf({ conversation })).toEqual(
      messages
        .slice(1)
        .map(({ id }) => id)
        .concat('300'),
    )
  })

  it('keeps the end of a chat in order that is sent again as a whole, and longer each time', async () => {
    const messages = Array.from({ length: 400 }, (_, i) => said(`${i}`, 'x'.repeat(333)))
    for (const count of [290, 299, 300, 302, 310, 400]) {
      await post(chat({ conversation: messages.slice(0, count) }))
      const end = messages.slice(Math.max(0, count - 300), count)
      expect(idsOf(await onlySession())).toEqual(idsOf({ conversation: end }))
    }
  })

  it('keeps the end of a chat in order whose last messages come at once, the last one first', async () => {
    const messages = Array.from({ length: 320 }, (_, i) => ({
      ...said(`${i}`, 'x'.repeat(333)),
      timestamp: i,
    }))
    await post(chat({ conversation: messages.slice(0, 300) }))
    const rest = messages.slice(300).reverse()
    const answers = await Promise.all(rest.map(message => post(chat({ conversation: [message] }))))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(idsOf(await onlySession())).toEqual(idsOf({ conversation: messages.slice(20) }))
  })

  it('goes on with a chat that was brought from the old store', async () => {
    const brought = {
      _id: new ObjectId(),
      sessionId: 's1',
      microsite: 'nivasa-enchante',
      projectId: 'nivasa-enchante',
      conversation: [said('a')],
      metadata: {},
      migration: 1,
      createdAt: new Date('2025-09-01T00:00:00.000Z'),
      updatedAt: new Date('2025-09-01T00:00:00.000Z'),
    }
    await (await chatSessions.open()).insertOne(brought)
    const { status, body } = await post(chat())
    expect([status, body.session.id]).toEqual([200, brought._id.toHexString()])
    expect(await onlySession()).toMatchObject({ _id: brought._id, conversation: [said('a'), said('b')] })
  })

  it('is another chat on another microsite', async () => {
    await post(chat())
    await post(chat({ microsite: 'Nivasa-Enchante' }))
    expect(await stored()).toHaveLength(2)
  })
})

describe('a chat without an id', () => {
  it('is the one with the same messages', async () => {
    const anonymous = chat({ sessionId: undefined })
    const answers = [await post(anonymous), await post(anonymous)]
    expect(answers.map(({ status }) => status)).toEqual([201, 200])
    expect(idsOf(await onlySession())).toEqual(['a', 'b'])
  })

  it('is another one where a widget counts its messages, by their times', async () => {
    const counted = (timestamp: number) =>
      chat({ sessionId: undefined, conversation: [{ ...said('1', 'hello'), timestamp }] })
    const answers = [await post(counted(1)), await post(counted(2)), await post(counted(1))]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 200])
    expect(await stored()).toHaveLength(2)
  })
})
