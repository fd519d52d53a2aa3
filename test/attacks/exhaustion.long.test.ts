import { Collection, ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import chatSessionRoute from '../../api/chat-sessions/[id].js'
import chatSessionsRoute from '../../api/chat-sessions/index.js'
import eventsRoute from '../../api/events/index.js'
import leadRoute from '../../api/leads/[id].js'
import leadsRoute from '../../api/leads/index.js'
import configRoute from '../../api/widget-config/[projectId].js'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { eventPairs } from '../../lib/domain/events/event-pairs.js'
import { leads, type PublicLead } from '../../lib/domain/leads/leads.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { emptyDatabase } from '../support/database.js'
import { trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { storedLead } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { adminToken, call } from '../support/request.js'

// What somebody may store without an account must not keep those from working who have one.

/** What the platform sends at once and no more: https://vercel.com/docs/functions/limitations */
const MAX_ANSWER_BYTES = 4_500_000

const token = adminToken()

trackBackgroundTasks()
beforeEach(emptyDatabase)

interface Page {
  items: { id: string; conversation: { id: string }[]; truncated?: true }[]
  nextCursor: string | null
}

/** Messages of the greatest length, in a script whose characters have three bytes each. */
function messages(count: number, from = 0) {
  return Array.from({ length: count }, (_, i) => ({
    id: `m${from + i}`,
    type: 'user',
    text: '湖'.repeat(4_000),
    timestamp: from + i,
  }))
}

describe('long conversations', () => {
  const say = (sessionId: string, conversation: unknown) =>
    call<{ session: { id: string } }>(chatSessionsRoute, 'POST', '/api/chat-sessions', {
      body: { sessionId, microsite: 'lake', conversation },
    })

  it('of one chat end where an answer can still have them', async () => {
    for (let round = 0; round < 5; round++)
      expect((await say('chat', messages(20, round * 20))).status).toBeLessThan(300)

    const [stored] = await (await chatSessions.open()).find().toArray()
    expect(stored?.conversation.map(({ id }) => id)).toEqual(messages(25, 75).map(({ id }) => id))
    const path = `/api/chat-sessions/${stored?._id}`
    const whole = await call(chatSessionRoute, 'GET', path, { token })
    expect(whole.status).toBe(200)
    expect(Buffer.byteLength(whole.text)).toBeLessThan(MAX_ANSWER_BYTES)
  })

  it('of ordinary length stay whole, a thousand messages of them', async () => {
    const short = Array.from({ length: 1_000 }, (_, i) => ({
      id: `m${i}`,
      type: 'user',
      text: 'x'.repeat(100),
    }))

    expect((await say('chat', short)).status).toBe(201)
    expect((await (await chatSessions.open()).findOne())?.conversation).toHaveLength(1_000)
  })

  it.each([50, 200])('hide no chat from a page of %i, nor keep it from being sent', async limit => {
    const short = [{ id: 'short', type: 'user', text: 'Hi' }]
    await (await chatSessions.open()).insertMany(
      Array.from({ length: limit }, (_, i) => ({
        _id: new ObjectId(),
        sessionId: `chat ${i}`,
        microsite: 'lake',
        projectId: 'lake',
        conversation: i % 2 === 0 ? short : messages(25),
        metadata: {},
        createdAt: new Date(),
        updatedAt: new Date(),
      })),
    )

    const page = await call<Page>(chatSessionsRoute, 'GET', `/api/chat-sessions?limit=${limit}`, { token })

    expect(page.status).toBe(200)
    expect(Buffer.byteLength(page.text)).toBeLessThan(MAX_ANSWER_BYTES)
    expect(page.body.items).toHaveLength(limit)
    const cut = page.body.items.filter(({ truncated }) => truncated)
    expect(cut).toHaveLength(limit / 2)
    // The end of each, and the others whole.
    for (const { conversation } of page.body.items.filter(({ truncated }) => !truncated))
      expect(conversation).toHaveLength(1)
    if (limit === 50) for (const { conversation } of cut) expect(conversation.at(-1)?.id).toBe('m24')
  })

  it('and metadata of leads hide none of them either', async () => {
    const metadata = { note: '湖'.repeat(15_900) }
    const many = Array.from({ length: 200 }, () => storedLead({ metadata, conversation: messages(20) }))
    await (await leads.open()).insertMany(many)

    const page = await call<Page>(leadsRoute, 'GET', '/api/leads?limit=200', { token })

    expect(page.body.items).toHaveLength(200)
    expect(Buffer.byteLength(page.text)).toBeLessThan(MAX_ANSWER_BYTES)
  })

  // What has few characters may have many bytes: around the texts, and as escapes.
  const escaped = '\u0001'
  const message = { id: 'i'.repeat(100), type: 't'.repeat(40), text: 'x', timestamp: 1 }
  const notes = Array.from({ length: 200 }, () => ({
    at: new Date(),
    by: 'asha',
    note: escaped.repeat(4_000),
  }))
  const loud = {
    'a thousand messages': { conversation: Array(1_000).fill(message) },
    'control characters': { conversation: Array(4).fill({ ...message, text: escaped.repeat(3_900) }) },
    'metadata of control characters': { metadata: { note: escaped.repeat(15_900) } },
    'the notes of operators': { history: notes },
  }

  it.each(Object.entries(loud))('cannot keep a page from being sent by %s', async (_, own) => {
    const items = Array.from({ length: 50 }, () => storedLead({ conversation: [message], ...own }))
    await (await leads.open()).insertMany(items)
    await (await chatSessions.open()).insertMany(items.map(lead => ({ ...lead, sessionId: `${lead._id}` })))

    for (const [route, path] of [
      [leadsRoute, '/api/leads'],
      [chatSessionsRoute, '/api/chat-sessions'],
    ] as const) {
      const page = await call<Page>(route, 'GET', `${path}?limit=50`, { token })
      expect(page.status).toBe(200)
      expect(page.body.items).toHaveLength(50)
      expect(Buffer.byteLength(page.text)).toBeLessThan(MAX_ANSWER_BYTES)
      // The end of each is there.
      for (const { conversation } of page.body.items) expect(conversation.at(-1)?.id).toBe(message.id)
    }
  })

  it('cannot keep a lead from being sent by itself', async () => {
    const lead = storedLead({ conversation: [message], history: notes })
    await (await leads.open()).insertOne(lead)

    const answer = await call<{ lead: PublicLead }>(leadRoute, 'GET', `/api/leads/${lead._id}`, { token })

    expect(answer.status).toBe(200)
    expect(Buffer.byteLength(answer.text)).toBeLessThan(MAX_ANSWER_BYTES)
    expect(answer.body.lead).toMatchObject({ truncated: true, conversation: [{ id: message.id }] })
    expect(answer.body.lead.history?.length).toBeGreaterThan(50)
  })
})

describe('a flood', () => {
  it('of events without a twin is not kept waiting for one', async () => {
    // Within one moment, however slow the machine is.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    onTestFinished(() => void vi.useRealTimers())
    const batch = Array.from({ length: 100 }, () => ({ type: 'chat_shown', projectId: 'lake' }))
    for (let round = 0; round < 4; round++)
      expect((await call(eventsRoute, 'POST', '/api/events', { body: batch })).status).toBe(201)

    const [pair] = await (await eventPairs.open()).find().toArray()
    expect(pair?.waiting).toHaveLength(200)
  })

  it('of events in one batch leaves connections of the pool to others', async () => {
    const { findOneAndUpdate } = Collection.prototype
    let [atOnce, most] = [0, 0]
    vi.spyOn(Collection.prototype, 'findOneAndUpdate').mockImplementation(async function (
      this: Collection,
      ...args: unknown[]
    ) {
      if (this.collectionName !== 'eventpairs') return findOneAndUpdate.apply(this, args as never)
      most = Math.max(most, ++atOnce)
      return findOneAndUpdate.apply(this, args as never).finally(() => atOnce--)
    } as never)
    const body = Array.from({ length: 100 }, (_, n) => ({
      type: 'cta_selected',
      projectId: 'lake',
      payload: { n },
    }))

    const answer = await call<{ accepted: number }>(eventsRoute, 'POST', '/api/events', { body })

    expect(answer.body.accepted).toBe(100)
    expect(most).toBeLessThanOrEqual(5)
  })

  it('of what a page says of its host names no project that nothing could hold', async () => {
    const origin = `https://${'a'.repeat(8_000)}.example`
    const conversation = [{ id: '1', type: 'user', text: 'Hi' }]

    expect((await call(leadsRoute, 'POST', '/api/leads', { body: { conversation }, origin })).status).toBe(
      201,
    )
    expect(await (await leads.open()).findOne()).toMatchObject({ projectId: 'default', microsite: 'default' })
  })
})

it('reads for a widget nothing that only its owner is shown', async () => {
  const settings = { domains: [], welcomeMessage: 'before' }
  await (await widgetConfigs.open()).insertOne(
    storedWidgetConfig({
      projectId: 'lake',
      revisions: [{ revision: 1, settings, replacedAt: new Date(), replacedBy: 'user:1' }],
      suggestion: { propertyInfo: { note: 'x' }, suggestedAt: new Date() },
    }),
  )
  const findOne = vi.spyOn(Collection.prototype, 'findOne')

  expect((await call(configRoute, 'GET', '/api/widget-config/lake')).status).toBe(200)

  const [read] = await Promise.all(findOne.mock.results.map(({ value }) => value as Promise<object>))
  expect(read).toMatchObject({ projectId: 'lake' })
  for (const field of ['revisions', 'suggestion']) expect(read).not.toHaveProperty(field)
})
