import { beforeEach, describe, expect, it } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import { events, type PublicEvent } from '../../lib/domain/events/events.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import type { Wire } from '../support/fixtures/wire.js'
import { type CallOptions, call } from '../support/request.js'

interface EventAnswer {
  message: string
  event: Wire<PublicEvent>
  accepted?: number
  duplicates?: number
  code?: string
  details?: ErrorDetail[]
}

const post = (body: unknown, options: CallOptions = {}) =>
  call<EventAnswer>(eventsRoute, 'POST', '/api/events', { body, ...options })

const chatShown = (overrides: Record<string, unknown> = {}) => ({
  type: 'chat_shown',
  projectId: 'nivasa-enchante',
  microsite: 'nivasa-enchante',
  ...overrides,
})

const stored = async () => (await events.open()).find().sort({ _id: 1 }).toArray()

/** Where a detail points, for the answers that refuse. */
const pathsOf = ({ body }: { body: EventAnswer }) => body.details?.map(({ path }) => path)

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('one event', () => {
  it('is stored and answered in the shape that widgets read', async () => {
    const payload = { projectId: 'nivasa-enchante', label: 'Pricing 💸' }
    const { status, body } = await post(chatShown({ payload }))

    expect(status).toBe(201)
    expect(body).toEqual({
      message: 'Event recorded',
      event: {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        _id: body.event.id,
        type: 'chat_shown',
        projectId: 'nivasa-enchante',
        microsite: 'nivasa-enchante',
        payload,
        at: expect.stringMatching(/Z$/),
        createdAt: expect.stringMatching(/Z$/),
        updatedAt: body.event.createdAt,
      },
    })
    const [event] = await stored()
    expect(event).toEqual({
      _id: expect.anything(),
      type: 'chat_shown',
      projectId: 'nivasa-enchante',
      microsite: 'nivasa-enchante',
      payload,
      at: new Date(body.event.at),
      day: body.event.createdAt.slice(0, 10),
      receivedAt: new Date(body.event.createdAt),
    })
  })

  it('has no payload where none was sent', async () => {
    const { status, body } = await post(chatShown())
    expect(status).toBe(201)
    expect(body.event).not.toHaveProperty('payload')
  })

  it('takes null for what was not given, as old clients send it', async () => {
    const nothing = { microsite: null, payload: null, id: null, at: null }
    const { status, body } = await post(chatShown(nothing))
    expect(status).toBe(201)
    expect(body.event).toMatchObject({ microsite: 'nivasa-enchante' })
    // Without an id of its client each is an event of its own.
    expect((await post([chatShown(nothing)])).body).toMatchObject({ accepted: 1 })
  })

  it('may be a beacon, which can only be text', async () => {
    const { status, body } = await post(JSON.stringify(chatShown()), {
      headers: { 'content-type': 'text/plain;charset=UTF-8' },
      origin: 'https://nivasa-enchante.example',
    })
    expect(status).toBe(201)
    expect(body.event.type).toBe('chat_shown')
  })

  it.each([
    ['keeps the dots and case of its project', { projectId: 'Lake.View.example' }, 'nivasa-enchante'],
    ['is of its project’s microsite where it names none', { microsite: undefined }, 'nivasa-enchante'],
    ['is of its project’s microsite where that is empty', { microsite: ' ' }, 'nivasa-enchante'],
    ['keeps the dots and case of its microsite', { microsite: 'Lake.View.example' }, 'Lake.View.example'],
  ])('%s', async (_, overrides, microsite) => {
    const { body } = await post(chatShown(overrides))
    expect(body.event).toMatchObject({ projectId: 'nivasa-enchante', ...overrides, microsite })
    expect(await stored()).toMatchObject([{ projectId: body.event.projectId, microsite }])
  })

  it('keeps in its payload what cannot be a key, and drops fields that nobody asked for', async () => {
    const { body } = await post(chatShown({ payload: { 'a.b': 1, $set: 2 }, receivedAt: 1, ownerId: 'me' }))
    const legacy = [
      { key: 'a.b', value: 1 },
      { key: '$set', value: 2 },
    ]
    expect(body.event.payload).toEqual({ legacy })
    const [event] = await stored()
    expect(event?.payload).toEqual({ legacy })
    expect(event).not.toHaveProperty('ownerId')
    expect(event?.receivedAt).toBeInstanceOf(Date)
  })

  it.each([
    ['type', chatShown({ type: undefined })],
    ['type', chatShown({ type: ' ' })],
    ['type', chatShown({ type: 'x'.repeat(65) })],
    ['projectId', chatShown({ projectId: undefined })],
    ['projectId', chatShown({ projectId: '' })],
    ['projectId', chatShown({ projectId: { $gt: '' } })],
  ])('is refused by name for its %s', async (field, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(400)
    expect(pathsOf(answer)).toEqual([field])
    expect(await stored()).toEqual([])
  })

  it.each(['"chat_shown"', 'null', '7', ''])('is refused where the body is %j', async text => {
    const { status } = await post(text, { headers: { 'content-type': 'application/json' } })
    expect(status).toBe(400)
  })
})

describe('an event with an id of its client', () => {
  it('is stored once however often and at once it comes, and answered alike', async () => {
    const event = chatShown({ id: 'e1', payload: { label: 'x' } })
    const answers = await Promise.all(Array.from({ length: 16 }, () => post(event)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    const [first] = answers
    expect(answers.map(({ body }) => body)).toEqual(answers.map(() => first?.body))
    expect(await stored()).toHaveLength(1)
  })

  it('is not told to who guessed its id', async () => {
    await post(chatShown({ id: 'e1', payload: { label: 'secret' } }))
    const { text, body } = await post(chatShown({ id: 'e1', payload: { label: 'guess' } }))
    expect(text).not.toContain('secret')
    expect(body.event).toMatchObject({ payload: { label: 'guess' } })
    expect((await stored()).map(({ payload }) => payload)).toEqual([{ label: 'secret' }])
  })

  it('is another event in another project, and each event without an id is its own', async () => {
    await post(chatShown({ id: 'e1' }))
    await post(chatShown({ id: 'e1', projectId: 'skyline-towers' }))
    await post(chatShown())
    await post(chatShown())
    expect(await stored()).toHaveLength(4)
  })
})

describe('a batch', () => {
  it('is stored whole and answered with how many were new', async () => {
    await post(chatShown({ id: 'e1' }))
    const batch = [chatShown({ id: 'e1' }), chatShown({ id: 'e2' }), chatShown({ id: 'e2' }), chatShown()]
    const { status, body } = await post(batch)

    expect(status).toBe(201)
    expect(body).toEqual({ message: 'Events recorded', accepted: 2, duplicates: 2 })
    expect(await stored()).toHaveLength(3)
    expect((await post(batch.slice(0, 3))).body).toMatchObject({ accepted: 0, duplicates: 3 })
  })

  it('may be of one event, and of 100', async () => {
    expect((await post([chatShown()])).body).toMatchObject({ accepted: 1, duplicates: 0 })
    expect((await post(Array(100).fill(chatShown()))).body).toMatchObject({ accepted: 100 })
  })

  it.each([
    ['of 101 events', Array(101).fill(chatShown()), /100/],
    ['of none', [], /1/],
  ])('%s is refused, and says how many are allowed', async (_, batch, bound) => {
    const { status, body } = await post(batch)
    expect(status).toBe(400)
    expect(body.details).toEqual([{ path: '', message: expect.stringMatching(bound) }])
    expect(await stored()).toEqual([])
  })

  it('with one bad element is refused by its place, and nothing of it is stored', async () => {
    const answer = await post([chatShown(), chatShown(), { ...chatShown(), projectId: '' }, chatShown()])
    expect(answer.status).toBe(400)
    expect(pathsOf(answer)).toEqual(['2.projectId'])
    expect(pathsOf(await post([chatShown(), 'chat_shown']))).toEqual(['1'])
    expect(await stored()).toEqual([])
  })
})

describe('a page that may not use a project', () => {
  it('records nothing, not even what it sends of other projects', async () => {
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ domains: ['nivasa.example'] }))
    const origin = 'https://elsewhere.example'
    const batch = [chatShown({ projectId: 'open-to-all' }), chatShown()]
    for (const body of [chatShown(), batch]) {
      const refused = await post(body, { origin })
      expect(refused.status).toBe(403)
      expect(refused.headers.has('access-control-allow-origin')).toBe(false)
    }
    expect(await stored()).toEqual([])
    expect((await post(batch, { origin: 'https://www.nivasa.example' })).status).toBe(201)
  })

  it('is none where the project’s document is an old one, which names no domains', async () => {
    const { domains: _domains, ...old } = storedWidgetConfig()
    await (await widgetConfigs.open()).insertOne(old as ReturnType<typeof storedWidgetConfig>)
    expect((await post(chatShown(), { origin: 'https://any.example' })).status).toBe(201)
  })
})
