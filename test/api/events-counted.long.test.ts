import type { BulkWriteResult } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import { countEach, eventCounts } from '../../lib/domain/events/event-counts.js'
import type { EventSummary } from '../../lib/domain/events/event-summary.js'
import { events } from '../../lib/domain/events/events.js'
import { recount } from '../../lib/domain/events/recount.js'
import { emptyDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { adminToken, call } from '../support/request.js'

const SOAK = process.env.SOAK === '1'
/** Arrivals, half of them twins of the other half. */
const ARRIVALS = SOAK ? 10_240 : 1_024
const CLIENTS = 32
/** To come: what is waited for would otherwise be over, and any moment deleted. */
const NOON = new Date('2126-11-22T12:00:00.000Z')

interface Arrival {
  ip: string
  body: Record<string, unknown>
}

/** Clients of few addresses, each with its own events, the twins of each in either order behind one another. */
function arrivalsOf(client: number): Arrival[] {
  const ip = `203.0.113.${client % 8}`
  return Array.from({ length: ARRIVALS / CLIENTS / 2 }, (_, i) => {
    const base = {
      type: ['chat_shown', 'chat_started', 'cta_selected'][i % 3],
      projectId: 'nivasa',
      microsite: `site-${client % 4}.example`,
    }
    const own = { client, i }
    const { projectId, microsite } = base
    const timed = { ...base, payload: { projectId, microsite, ...own, at: NOON.toISOString() } }
    const plain = { ...base, payload: own }
    return i % 2 === 0 ? [timed, plain] : [plain, timed]
  })
    .flat()
    .map(body => ({ ip, body }))
}

const post = ({ ip, body }: { ip?: string; body: unknown }) =>
  call(eventsRoute, 'POST', '/api/events', { body, ...(ip && { ip }) })

const counters = async () => {
  const stored = await (await eventCounts.open()).find().toArray()
  return stored.reduce((sum, { count }) => sum + count, 0)
}

trackBackgroundTasks()

beforeEach(async () => {
  await emptyDatabase()
  // Stands still, so that no twin is late however slow the machine is.
  vi.useFakeTimers({ toFake: ['Date'], now: NOON })
  return () => vi.useRealTimers()
})

describe('the counters', () => {
  it(
    `equal the distinct ones of ${ARRIVALS} events from ${CLIENTS} clients at once, and the recomputation`,
    async () => {
      const clients = Array.from({ length: CLIENTS }, (_, client) => arrivalsOf(client))
      const statuses = new Set<number>()
      await Promise.all(
        clients.map(async arrivals => {
          for (const arrival of arrivals) statuses.add((await post(arrival)).status)
        }),
      )
      await backgroundTasksDone()
      expect(statuses).toEqual(new Set([201]))

      const sent = clients.flat().map(({ body }) => body)
      const distinct = (type: string) => sent.filter(body => body.type === type).length / 2
      const total = sent.length / 2
      expect(await (await events.open()).countDocuments()).toBe(total)
      expect(await (await events.open()).countDocuments({ 'payload.at': { $exists: true } })).toBe(total)
      const { body } = await call<EventSummary>(eventsRoute, 'GET', '/api/events', { token: adminToken() })
      expect(body).toEqual({
        chatsShown: distinct('chat_shown'),
        chatsStarted: distinct('chat_started'),
        leadsCaptured: 0,
      })
      expect(await recount(new Date('2126-11-22T00:00:00.000Z'))).toEqual([])
    },
    SOAK ? 600_000 : 120_000,
  )

  it('are counted once for ids that many send at once, in batches that overlap', async () => {
    const event = (i: number) => ({ type: 'chat_shown', projectId: 'nivasa', id: `e${i}` })
    const batches = Array.from({ length: 8 }, (_, b) =>
      Array.from({ length: 30 }, (_, i) => event(b * 10 + i)),
    )
    await Promise.all(batches.map(body => post({ body })))
    await backgroundTasksDone()
    expect(await (await events.open()).countDocuments()).toBe(100)
    expect(await counters()).toBe(100)
  })

  it('are written in one order, whatever order their events came in', async () => {
    const written: unknown[] = []
    const open = await eventCounts.open()
    vi.spyOn(eventCounts, 'open').mockResolvedValue(open)
    vi.spyOn(open, 'bulkWrite').mockImplementation(async operations => {
      written.push(operations.map(operation => 'updateOne' in operation && operation.updateOne.filter))
      return { upsertedIds: {} } as BulkWriteResult
    })
    const counter = (microsite: string) => ({
      projectId: 'nivasa',
      microsite,
      type: 'chatsShown' as const,
      day: '2126-11-22',
    })

    await countEach(['b', 'a', 'c', 'a'].map(counter))
    await countEach(['c', 'b', 'a'].map(counter))

    const inOrder = ['a', 'b', 'c'].map(microsite => ({ _id: counter(microsite) }))
    expect(written).toEqual([inOrder, inOrder])
  })

  it('take no event for a lead, whatever it claims', async () => {
    for (const type of ['leadsCaptured', 'lead_submitted', 'lead_captured', 'constructor', '__proto__'])
      await post({ body: { type, projectId: 'nivasa' } })
    await backgroundTasksDone()
    expect(await counters()).toBe(0)
  })

  it('are mended where a crash came between an event and its count, for its own day only', async () => {
    await post({ body: { type: 'chat_shown', projectId: 'nivasa' } })
    await post({ body: { type: 'chat_started', projectId: 'nivasa' } })
    await post({ body: { type: 'cta_selected', projectId: 'nivasa' } })
    await backgroundTasksDone()
    await (await eventCounts.open()).deleteOne({ '_id.type': 'chatsStarted' })

    expect(await recount(new Date('2126-11-21T00:00:00.000Z'))).toEqual([])
    const counter = { projectId: 'nivasa', microsite: 'nivasa', type: 'chatsStarted', day: '2126-11-22' }
    expect(await recount(new Date('2126-11-22T00:00:00.000Z'))).toEqual([{ counter, was: 0, is: 1 }])
    expect(await counters()).toBe(2)
  })
})
