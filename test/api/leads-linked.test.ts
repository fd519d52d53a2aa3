import { Collection, MongoServerError } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import { recount } from '../../lib/domain/events/recount.js'
import { followUpLead, followUpPending } from '../../lib/domain/leads/lead-follow-up.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { emptyDatabase, firstWritesAtOnce } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import { type CallOptions, call } from '../support/request.js'

const AT_ONCE = await firstWritesAtOnce()

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

const post = (body: unknown, options: CallOptions = {}) =>
  call<{ lead: { id: string } }>(leadsRoute, 'POST', '/api/leads', { body, ...options })

/** What is stored once everything that goes on after an answer is done. */
async function stored() {
  await backgroundTasksDone()
  const [all, counters] = await Promise.all([
    (await leads.open()).find().sort({ createdAt: 1, _id: 1 }).toArray(),
    (await eventCounts.open()).find().toArray(),
  ])
  const count = counters.reduce((sum, counter) => sum + counter.count, 0)
  return { leads: all, heads: all.filter(({ headKey }) => headKey !== undefined), count }
}

const startOf = (moment: Date) => new Date(Math.floor(moment.getTime() / DAY_MS) * DAY_MS)

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('later submissions of a phone on a microsite', () => {
  it('are leads of their own behind the first, 64 of them at once', AT_ONCE, async () => {
    await Promise.all(Array.from({ length: 64 }, () => post(leadSubmission())))

    const { leads: all, heads, count } = await stored()
    expect(all).toHaveLength(64)
    expect(heads).toHaveLength(1)
    const [head] = heads
    expect(head?.submissions).toBe(64)
    expect(head?.lastSeenAt).toEqual(all.at(-1)?.createdAt)
    expect(head).not.toHaveProperty('duplicateOf')
    const others = all.filter(lead => lead !== head)
    expect(new Set(others.map(({ duplicateOf }) => duplicateOf?.toHexString()))).toEqual(
      new Set([head?._id.toHexString()]),
    )
    expect(all.filter(({ pending }) => pending)).toEqual([])
    expect(count).toBe(64)
  })

  it('are told apart by phone and by microsite', async () => {
    await post(leadSubmission())
    await post(leadSubmission({ microsite: 'Nivasa-Enchante' }))
    await post(leadSubmission({ phone: '+919876509999' }))
    await post(leadSubmission({ phone: undefined }))
    await post(leadSubmission({ phone: undefined }))

    const { leads: all, heads } = await stored()
    expect(all).toHaveLength(5)
    expect(heads.map(({ submissions }) => submissions)).toEqual([1, 1, 1])
    expect(all.filter(({ duplicateOf }) => duplicateOf)).toEqual([])
  })
})

/** Every write that a follow-up makes goes through one of these. */
const WRITES = ['updateOne', 'findOneAndUpdate', 'bulkWrite'] as const

/** Lets so many writes through, and fails so many after them with that. */
function failAfter(writes: number, failures: number, error: Error): { writes: number } {
  const made = { writes: 0 }
  for (const name of WRITES) {
    const write = Collection.prototype[name] as (...sent: unknown[]) => Promise<unknown>
    vi.spyOn(Collection.prototype, name).mockImplementation(function (this: Collection, ...sent: unknown[]) {
      const isThrough = made.writes < writes || made.writes >= writes + failures
      made.writes++
      return isThrough ? write.apply(this, sent) : Promise.reject(error)
    } as never)
  }
  return made
}

describe('a database that fails while a lead is followed up', () => {
  const failure = new MongoServerError({ code: 11600, errmsg: 'InterruptedAtShutdown' })

  it('is asked again, after whichever write', async () => {
    // Floods of phone and address, head, link, the head's total, settled; what fails to be counted is recounted.
    for (let writes = 0; writes <= 5; writes++) {
      await emptyDatabase()
      await post(leadSubmission())
      await backgroundTasksDone()
      failAfter(1 + writes, 1, failure)
      await post(leadSubmission())
      const { leads: all, heads, count } = await stored()
      vi.restoreAllMocks()

      expect(all.filter(({ pending }) => pending)).toEqual([])
      expect(heads.map(({ submissions }) => submissions)).toEqual([2])
      expect(count).toBe(2)
    }
  })

  it('is not asked again for a count that may be done: its failure is told, and the day is recounted', async () => {
    await post(leadSubmission())
    await backgroundTasksDone()
    const all = await leads.open()
    const lead = await all.findOneAndUpdate({}, { $set: { pending: true } })
    if (!lead) throw new Error('nothing was stored')
    failAfter(2, 1, failure)

    await expect(followUpLead(lead, new Date())).rejects.toMatchObject({
      code: 'unavailable',
      cause: failure,
    })
  })

  it('is left to the maintenance where it fails again and again', async () => {
    const failed = failAfter(1, Number.POSITIVE_INFINITY, failure)
    await post(leadSubmission())
    await backgroundTasksDone()
    vi.restoreAllMocks()

    expect(failed.writes).toBeGreaterThan(3)
    expect(await followUpPending(new Date(Date.now() + 2 * MINUTE_MS))).toBe(1)
    expect((await stored()).count).toBe(1)
  })
})

describe('a crash while a lead is followed up', () => {
  // Floods of phone and address, head, link, the head's total, settled, counted: and one more, to see that it is all.
  const AFTER = Array.from({ length: 9 }, (_, writes) => writes)

  async function crashed(writes: number) {
    await emptyDatabase()
    await post(leadSubmission())
    await backgroundTasksDone()
    const submission = leadSubmission()
    // The rate limit of the request itself is the first write.
    const made = failAfter(1 + writes, Number.POSITIVE_INFINITY, new Error('gone'))
    const { status } = await post(submission)
    expect(status).toBe(201)
    await backgroundTasksDone()
    vi.restoreAllMocks()
    return { submission, isWhole: made.writes <= 1 + writes }
  }

  it.each([
    ['the retry', (submission: unknown) => post(submission)],
    ['maintenance', () => followUpPending(new Date(Date.now() + 2 * MINUTE_MS))],
  ])('is mended by %s after whichever write, and counted once', async (_, mend) => {
    let uncounted = 0
    for (const writes of AFTER) {
      const { submission, isWhole } = await crashed(writes)
      const { leads: left } = await stored()
      const wasSettled = left.every(({ pending }) => pending === undefined)
      await mend(submission)
      const { leads: all, heads, count } = await stored()

      expect(all.filter(({ pending }) => pending)).toEqual([])
      expect(heads.map(({ submissions }) => submissions)).toEqual([2])
      expect(all.filter(({ duplicateOf }) => duplicateOf)).toHaveLength(1)
      // Only between the last two writes a count is lost, until the day is recounted.
      if (count !== 2) expect({ wasSettled, count }).toEqual({ wasSettled: true, count: 1 })
      if (count !== 2) uncounted++
      const mended = await Promise.all(
        [...new Set(all.map(({ createdAt }) => startOf(createdAt).getTime()))].map(day =>
          recount(new Date(day)),
        ),
      )
      expect(mended.flat()).toHaveLength(count === 2 ? 0 : 1)
      expect((await stored()).count).toBe(2)
      if (writes === AFTER.length - 1) expect(isWhole).toBe(true)
    }
    expect(uncounted).toBe(1)
  })

  it('is not taken for one while it may still be going on', async () => {
    await crashed(0)
    expect(await followUpPending(new Date())).toBe(0)
    expect(await followUpPending(new Date(Date.now() + 2 * MINUTE_MS))).toBe(1)
    expect(await (await chatSessions.open()).countDocuments()).toBe(2)
  })
})
