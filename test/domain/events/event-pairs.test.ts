import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { eventCounts } from '../../../lib/domain/events/event-counts.js'
import { type EventInput, events, recordEvents } from '../../../lib/domain/events/events.js'
import { emptyDatabase, isDocumentDb } from '../../support/database.js'

// In the future: pairs expire, and an engine deletes what has.
const NOON = Date.parse('2099-11-22T12:00:00.000Z')
const VISITOR_TIME = '2099-11-22T11:59:58.000Z'

/**
 * Of two upserts that both find nothing DocumentDB applies each to what the other one stored, as it should, but
 * answers with what it would have inserted: two twins that meet for the first time are not told of each other.
 */
const itAtOnce = it.skipIf(await isDocumentDb())

interface Sender {
  clientAddress: string
  userAgent: string
}
const VISITOR: Sender = { clientAddress: '203.0.113.7', userAgent: 'Browser 1' }

/** Arrives so many milliseconds after noon, and waits until it is counted. */
async function arrive(
  input: EventInput | EventInput[],
  afterMs = 0,
  { from = VISITOR, start = NOON }: { from?: Sender; start?: number } = {},
) {
  const tasks: Promise<unknown>[] = []
  const now = new Date(start + afterMs)
  const answer = await recordEvents(input, { ...from, now, background: task => void tasks.push(task) })
  await Promise.all(tasks)
  return answer
}

const event = (payload?: Record<string, unknown>, overrides: Partial<EventInput> = {}): EventInput => ({
  type: 'chat_shown',
  projectId: 'nivasa',
  microsite: 'nivasa.example',
  ...(payload && { payload }),
  ...overrides,
})

/** The twins as widgets send them: all that the timed one has beside its own fields says where it comes from. */
const timed = (own: Record<string, unknown> = {}, overrides: Partial<EventInput> = {}) =>
  event({ projectId: 'nivasa', microsite: 'nivasa.example', ...own, at: VISITOR_TIME }, overrides)
const plain = (own?: Record<string, unknown>, overrides: Partial<EventInput> = {}) => event(own, overrides)

const stored = async () => (await events.open()).find().sort({ receivedAt: 1 }).toArray()
const counted = async () => {
  const counts = await (await eventCounts.open()).find().toArray()
  return counts.map(({ _id, count }) => [_id.day, _id.type, count])
}

beforeEach(emptyDatabase)

describe('twins', () => {
  it.each([
    ['the timed one first', timed(), plain()],
    ['the plain one first', plain(), timed()],
    ['a plain one with an empty payload', timed(), plain({})],
    ['a plain one that names its project', plain({ projectId: 'nivasa' }), timed()],
    [
      'own fields in another order',
      timed({ name: 'A', bhkType: '1 Bhk' }),
      plain({ bhkType: '1 Bhk', name: 'A' }),
    ],
  ])('are one event, and it carries the visitor’s time: %s', async (_, first, second) => {
    await arrive(first)
    await arrive(second, 3_000)

    const [only, ...others] = await stored()
    expect(others).toEqual([])
    expect(only?.at).toEqual(new Date(VISITOR_TIME))
    expect(only?.payload).toMatchObject({ at: VISITOR_TIME, microsite: 'nivasa.example' })
    expect(only?.receivedAt).toEqual(new Date(NOON))
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 1]])
  })

  it('have one id in their answers, each answered as it was sent', async () => {
    const first = await arrive(plain({ label: 'x' }))
    const second = await arrive(timed({ label: 'x' }), 40)
    if (!('event' in first && 'event' in second)) throw new Error('answered as batches')
    expect(second.event.id).toBe(first.event.id)
    expect(first.event.payload).toEqual({ label: 'x' })
    expect(second.event.payload).toMatchObject({ at: VISITOR_TIME })
  })

  itAtOnce('at the same moment are one, whichever the database sees first', async () => {
    for (let round = 0; round < 10; round++)
      await Promise.all([arrive(timed({ round })), arrive(plain({ round }))])
    expect(await stored()).toHaveLength(10)
    expect((await stored()).every(({ payload }) => payload?.at === VISITOR_TIME)).toBe(true)
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 10]])
  })

  itAtOnce('in one batch are one', async () => {
    expect(await arrive([plain(), timed(), plain({ label: 'x' })])).toMatchObject({
      accepted: 2,
      duplicates: 1,
    })
    expect(await stored()).toHaveLength(2)
  })

  it('over midnight count once, for the day of the first', async () => {
    const start = Date.parse('2099-11-22T23:59:59.000Z')
    await arrive(timed(), 0, { start })
    await arrive(plain(), 2_000, { start })
    expect(await stored()).toMatchObject([{ day: '2099-11-22' }])
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 1]])
  })
})

describe('two events', () => {
  it.each([
    ['more than three seconds apart', timed(), plain(), 3_001],
    ['of the timed side', timed(), timed(), 100],
    ['of the plain side', plain(), plain(), 100],
    ['of two types', timed(), plain({}, { type: 'chat_started' }), 0],
    ['of two projects', timed(), plain({}, { projectId: 'other' }), 0],
    ['of two microsites', timed(), plain({}, { microsite: 'other.example' }), 0],
    ['with other fields of their own', timed({ label: 'Pricing' }), plain({ label: 'Location' }), 0],
    ['one of which has fields of its own', timed({ label: 'Pricing' }), plain(), 0],
  ])('stay two: %s', async (_, first, second, apart) => {
    await arrive(first)
    await arrive(second, apart)
    expect(await stored()).toHaveLength(2)
  })

  it.each([
    ['address', { ...VISITOR, clientAddress: '203.0.113.8' }],
    ['browser', { ...VISITOR, userAgent: 'Browser 2' }],
  ])('stay two from another %s', async (_, from) => {
    await arrive(timed())
    await arrive(plain(), 0, { from })
    expect(await stored()).toHaveLength(2)
  })

  it.each([
    ['one after the other', [timed(), plain(), timed(), plain()]],
    ['side by side', [timed(), timed(), plain(), plain()]],
    ['crossed', [plain(), timed(), timed(), plain()]],
    ['the plain ones first', [plain(), plain(), timed(), timed()]],
  ])('of two visitors behind one address stay two, their twins %s', async (_, arrivals) => {
    for (const [i, arrival] of arrivals.entries()) await arrive(arrival, i * 100)
    expect(await stored()).toHaveLength(2)
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 2]])
  })

  it.each([
    ['a plain one after twins', [timed(), plain(), plain()]],
    ['a timed one after twins', [plain(), timed(), timed()]],
  ])('stay two where one has no twin: %s', async (_, arrivals) => {
    for (const [i, arrival] of arrivals.entries()) await arrive(arrival, i * 100)
    expect(await stored()).toHaveLength(2)
  })

  itAtOnce('stay as many as there are where twins of 20 visitors arrive at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => [arrive(timed()), arrive(plain())]).flat())
    expect(await stored()).toHaveLength(20)
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 20]])
  })
})

describe('an event with its client’s id', () => {
  it('is no twin: neither of another nor for another', async () => {
    await arrive(timed({}, { id: 'e1' }))
    await arrive(plain(), 10)
    await arrive(timed({}, { id: 'e1' }), 20)
    expect(await stored()).toHaveLength(2)
  })

  it('counts for the day that its client vouches for, and a retry over midnight for no other', async () => {
    const at = '2099-11-22T23:59:59.900Z'
    const start = Date.parse(at)
    await arrive(plain({}, { id: 'e1', at }), 0, { start })
    await arrive(plain({}, { id: 'e1', at }), 5_000, { start })
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 1]])
  })

  it('is stored and counted once, however many send it at once', async () => {
    await Promise.all(Array.from({ length: 16 }, () => arrive(plain({}, { id: 'e1' }))))
    expect(await stored()).toHaveLength(1)
    expect((await stored())[0]?._id).toBeInstanceOf(ObjectId)
    expect(await counted()).toEqual([['2099-11-22', 'chatsShown', 1]])
  })
})
