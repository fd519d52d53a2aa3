import { Collection, MongoServerError } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import leadRoute from '../../api/leads/[id].js'
import leadsRoute from '../../api/leads/index.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import type { CapturedLead } from '../../lib/domain/leads/lead-capture.js'
import { followUpLead, followUpPending } from '../../lib/domain/leads/lead-follow-up.js'
import { LeadUpdate, updateLead } from '../../lib/domain/leads/lead-updates.js'
import { type Lead, leads, type PublicLead } from '../../lib/domain/leads/leads.js'
import { AppError } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { leadSubmission, storedLead } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, type CallOptions, call } from '../support/request.js'

// As on a deployment: the floods here are small enough to send.
process.env.RATE_LIMIT_SCALE = '1'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

interface Answer {
  lead: Wire<CapturedLead>
  code?: string
}

const post = (body: unknown, options: CallOptions = {}) =>
  call<Answer>(leadsRoute, 'POST', '/api/leads', { body, ...options })

/** A network of its own for each number up to 60,000. */
const address = (i: number) => ({ ip: `203.0.${Math.floor(i / 250)}.${1 + (i % 250)}` })

const phoneOf = (i: number) => `+9198765${String(i).padStart(5, '0')}`

const decide = (id: string, spam: string) =>
  call<{ lead: Wire<PublicLead>; code?: string }>(leadRoute, 'PATCH', `/api/leads/${id}`, {
    body: { spam },
    token: adminToken(),
  })

async function listed(spam?: string) {
  const { body } = await call<{ total: number; items: Wire<PublicLead>[] }>(
    leadsRoute,
    'GET',
    `/api/leads?limit=200${spam ? `&spam=${spam}` : ''}`,
    { token: adminToken() },
  )
  return body
}

async function stored() {
  await backgroundTasksDone()
  const [all, counters] = await Promise.all([
    (await leads.open()).find().sort({ createdAt: 1, _id: 1 }).toArray(),
    (await eventCounts.open()).find().toArray(),
  ])
  return { leads: all, count: counters.reduce((sum, counter) => sum + counter.count, 0) }
}

const message = (text: string, type = 'user') => [{ id: text, type, text }]

const visited = (
  took: number,
  lastInteractionAt = new Date(Date.UTC(2026, 10, 22) + took).toISOString(),
) => ({
  metadata: { visitor: { firstSeenAt: '2026-11-22T00:00:00.000Z', lastInteractionAt } },
})

const visitedAt = (at: unknown) => ({
  metadata: { visitor: { firstSeenAt: at, lastInteractionAt: at } },
})

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('a lead with a sign of spam', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ['a filled honeypot', { website: 'https://buy.example' }, ['honeypot']],
    ['a submission before anybody could type', visited(1_999), ['too_fast']],
    [
      'three links in messages',
      { conversation: message('http://a.example https://b.example WWW.c.example') },
      ['links'],
    ],
    ['a link in the name', { metadata: { name: 'Win at https://a.example' } }, ['links']],
    ['a phone that is none', { phone: '12345' }, ['invalid_phone']],
    [
      'several of them',
      { phone: '12345', website: 'x', ...visited(0) },
      ['invalid_phone', 'honeypot', 'too_fast'],
    ],
  ])('is quarantined for %s, and answered like any other', async (_, overrides, reasons) => {
    const { status, body } = await post(leadSubmission(overrides))

    expect(status).toBe(201)
    expect(body.lead).toMatchObject({ status: 'new' })
    for (const field of ['spam', 'quarantined']) expect(body.lead).not.toHaveProperty(field)
    const { leads: all, count } = await stored()
    expect(all).toMatchObject([{ quarantined: true, spam: { score: reasons.length, reasons } }])
    expect(all[0]).not.toHaveProperty('headKey')
    expect(count).toBe(0)
    expect(await listed()).toMatchObject({ total: 0, items: [] })
    expect(await listed('only')).toMatchObject({ total: 1, items: [{ spam: { reasons } }] })
    expect(await listed('all')).toMatchObject({ total: 1 })
  })

  it.each<[string, Record<string, unknown>]>([
    ['an empty honeypot', { website: ' ' }],
    ['two seconds between first sight and submission', visited(2_000)],
    ['a clock that was set back meanwhile', visited(-5_000)],
    ['times that are none', visited(0, 'now')],
    ['times that cannot be made a text', visitedAt({ toString: 1, valueOf: 1 })],
    ['times that are numbers', visitedAt(2026)],
    ['no visitor at all', { metadata: {} }],
    ['two links', { conversation: message('http://a.example https://b.example') }],
    ['links that the agent sent', { conversation: message('http://a http://b http://c', 'system') }],
  ])('is not one with %s', async (_, overrides) => {
    await post(leadSubmission(overrides))
    const { leads: all, count } = await stored()
    expect(all).toMatchObject([{ quarantined: false, submissions: 1 }])
    expect(all[0]).not.toHaveProperty('spam')
    expect(count).toBe(1)
  })
})

describe('a flood', () => {
  // In the middle of the next hour: one that is counted by the hour must not end while it is sent.
  beforeEach(() => {
    const now = (Math.floor(Date.now() / HOUR_MS) + 1.5) * HOUR_MS
    vi.useFakeTimers({ toFake: ['Date'], now })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('from one phone is quarantined beyond 20 leads of a day and microsite', async () => {
    for (let i = 0; i < 22; i++) {
      await post(leadSubmission(), address(i))
      // One by one: where some are linked at once an engine may leave one to the maintenance, uncounted until then.
      await backgroundTasksDone()
    }
    await post(leadSubmission({ microsite: 'elsewhere' }), address(22))

    const { leads: all, count } = await stored()
    const quarantined = all.filter(lead => lead.quarantined)
    expect(quarantined).toHaveLength(2)
    for (const lead of quarantined) expect(lead.spam).toEqual({ score: 1, reasons: ['many_of_phone'] })
    expect(count).toBe(21)
    expect(await listed()).toMatchObject({ total: 21 })
  })

  it('from one address is quarantined beyond 40 leads of an hour', async () => {
    for (let i = 0; i < 42; i++) await post(leadSubmission({ phone: phoneOf(i) }))
    await post(leadSubmission({ phone: phoneOf(42) }), address(1))

    const { leads: all, count } = await stored()
    const quarantined = all.filter(lead => lead.quarantined)
    expect(quarantined).toHaveLength(2)
    for (const lead of quarantined) {
      expect(lead.spam).toEqual({ score: 1, reasons: ['many_of_address'] })
      expect(lead).not.toHaveProperty('headKey')
    }
    expect(count).toBe(41)
  })

  it('is quarantined though the database failed in it the first time', async () => {
    for (let i = 0; i < 40; i++) await post(leadSubmission({ phone: phoneOf(i) }))
    await backgroundTasksDone()
    const updateOne = Collection.prototype.updateOne
    let failed = 0
    vi.spyOn(Collection.prototype, 'updateOne').mockImplementation(function (this: Collection, ...sent) {
      if ('$addToSet' in sent[1] && failed++ === 0)
        return Promise.reject(new MongoServerError({ code: 11600, errmsg: 'InterruptedAtShutdown' }))
      return updateOne.apply(this, sent)
    })
    await post(leadSubmission({ phone: phoneOf(40) }))

    const { leads: all, count } = await stored()
    expect(failed).toBe(2)
    expect(all.filter(lead => lead.quarantined)).toMatchObject([
      { phone: phoneOf(40), spam: { score: 1, reasons: ['many_of_address'] } },
    ])
    expect(count).toBe(40)
  })

  it('is not what one lead makes that is sent again and again, at once and later', async () => {
    const submission = leadSubmission()
    await Promise.all(Array.from({ length: 55 }, (_, i) => post(submission, address(i % 2))))
    await post(submission)

    const { leads: all, count } = await stored()
    expect(all).toMatchObject([{ quarantined: false, submissions: 1 }])
    expect(count).toBe(1)
  })
})

describe('a verdict on quarantine', () => {
  async function quarantinedLead(overrides: Record<string, unknown> = {}) {
    const { body } = await post(leadSubmission({ website: 'x', ...overrides }))
    await backgroundTasksDone()
    return body.lead.id
  }

  it('of released makes it a lead like any other, counted once', async () => {
    const id = await quarantinedLead()
    const answers = await Promise.all([decide(id, 'released'), decide(id, 'released')])

    for (const { status, body } of answers) {
      expect(status).toBe(200)
      expect(body.lead).toMatchObject({
        submissions: 1,
        history: [{ spam: 'released', by: expect.stringMatching(/./) }],
      })
      expect(body.lead.history).toHaveLength(1)
      expect(body.lead).not.toHaveProperty('spam')
    }
    const { leads: all, count } = await stored()
    expect(all).toMatchObject([{ quarantined: false, headKey: expect.any(String) }])
    expect(count).toBe(1)
    expect(await listed()).toMatchObject({ total: 1, items: [{ id }] })
    expect(await listed('only')).toMatchObject({ total: 0 })
  })

  it('of released links it to the first lead of its phone', async () => {
    const id = await quarantinedLead()
    const { body } = await post(leadSubmission())
    await backgroundTasksDone()
    expect((await decide(id, 'released')).body.lead.duplicateOf).toBe(body.lead.id)
    const { leads: all, count } = await stored()
    expect(all.find(({ headKey }) => headKey)?.submissions).toBe(2)
    expect(count).toBe(2)
  })

  it('of confirmed leaves it where it is and says when, and may be changed', async () => {
    const id = await quarantinedLead()
    const { status, body } = await decide(id, 'confirmed')
    expect(status).toBe(200)
    expect(body.lead.spam).toEqual({ score: 1, reasons: ['honeypot'], confirmedAt: body.lead.updatedAt })
    expect((await stored()).count).toBe(0)
    expect(await listed()).toMatchObject({ total: 0 })

    expect((await decide(id, 'released')).status).toBe(200)
    expect((await stored()).count).toBe(1)
  })

  it('on a lead that is in none is a conflict, and changes nothing', async () => {
    const lead = storedLead()
    await (await leads.open()).insertOne(lead)
    for (const spam of ['released', 'confirmed']) {
      const { status, body } = await decide(lead._id.toHexString(), spam)
      expect({ status, code: body.code }).toEqual({ status: 409, code: 'conflict' })
    }
    expect((await stored()).leads).toEqual([lead])
  })

  const release = (lead: Lead) =>
    updateLead({}, lead._id.toHexString(), LeadUpdate.parse({ spam: 'released' }), 'ravi', new Date())

  it('of released that was answered a 503 is acknowledged when it is sent again, and finished', async () => {
    const id = await quarantinedLead()
    const sent = { spam: 'released', status: 'contacted', note: 'Called back' }
    const send = (body: unknown) =>
      call<{ lead: Wire<PublicLead> }>(leadRoute, 'PATCH', `/api/leads/${id}`, { body, token: adminToken() })
    vi.spyOn(leads, 'openGuarded').mockRejectedValueOnce(new AppError('unavailable'))
    expect((await send(sent)).status).toBe(503)

    const { status, body } = await send(sent)
    expect(status).toBe(200)
    expect(body.lead).toMatchObject({ status: 'contacted', submissions: 1 })
    expect(body.lead.history).toMatchObject([sent])
    expect((await stored()).count).toBe(1)
    // Another one is none that was stored.
    for (const other of [{ spam: 'released', note: 'Sold' }, { spam: 'released' }, { spam: 'confirmed' }])
      expect((await send(other)).status).toBe(409)
  })

  it('counts a lead that somebody else follows up as it was before', async () => {
    const lead = storedLead({ spam: { score: 1, reasons: ['honeypot'] }, pending: true })
    await (await leads.open()).insertOne(lead)
    await release(lead)
    await followUpLead(lead, new Date())

    const { leads: all, count } = await stored()
    expect(all).toMatchObject([{ quarantined: false, submissions: 1 }])
    expect(count).toBe(1)
  })

  it('that a crash cut short is finished by maintenance', async () => {
    const lead = storedLead({
      spam: { score: 1, reasons: ['honeypot'] },
      createdAt: new Date(Date.now() - 9 * 86_400_000),
    })
    const all = await leads.open()
    await all.insertOne(lead)
    // The release itself is stored; whatever follows from it is not.
    const { openGuarded } = leads
    Object.assign(leads, { openGuarded: () => Promise.reject(new Error('gone')) })
    try {
      await expect(release(lead)).rejects.toThrow('gone')
    } finally {
      Object.assign(leads, { openGuarded })
    }
    expect(await followUpPending(new Date(Date.now() + 2 * MINUTE_MS))).toBe(1)
    expect(await stored()).toMatchObject({ leads: [{ quarantined: false, submissions: 1 }], count: 1 })
  })
})
