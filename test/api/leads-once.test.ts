import { beforeEach, describe, expect, it } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { dayOf, eventCounts } from '../../lib/domain/events/event-counts.js'
import { LeadInput } from '../../lib/domain/leads/captured-input.js'
import { type CapturedLead, captureLead } from '../../lib/domain/leads/lead-capture.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { emptyDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { leadSubmission } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { type CallOptions, call } from '../support/request.js'

interface LeadAnswer {
  lead: Wire<CapturedLead>
  code?: string
}

const post = (body: unknown, options: CallOptions = {}) =>
  call<LeadAnswer>(leadsRoute, 'POST', '/api/leads', { body, ...options })

const withKey = (key: string) => ({ headers: { 'idempotency-key': key } })

const atOnce = <T>(count: number, act: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => act(i)))

/** What is stored once everything that goes on after an answer is done. */
async function stored() {
  await backgroundTasksDone()
  const [leadDocuments, sessions, counts] = await Promise.all([
    (await leads.open()).find().toArray(),
    (await chatSessions.open()).find().toArray(),
    (await eventCounts.open()).find().toArray(),
  ])
  return { leads: leadDocuments, sessions, counts: counts.map(({ _id, count }) => [_id.microsite, count]) }
}

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('the same submission again', () => {
  it('is the lead that it was, with one session and one count', async () => {
    const submission = leadSubmission()
    const first = await post(submission)
    const again = await post(submission)

    expect(again.status).toBe(201)
    expect(again.body).toEqual(first.body)
    const { leads, sessions, counts } = await stored()
    expect(leads).toHaveLength(1)
    expect(sessions).toHaveLength(1)
    expect(counts).toEqual([['nivasa-enchante', 1]])
  })

  it.each([
    ['by its messages', leadSubmission(), {}],
    ['by its visitor', leadSubmission({ conversation: undefined }), {}],
    ['by its Idempotency-Key', leadSubmission(), withKey('k1')],
  ])('is one lead when 64 come at once, known %s', async (_, submission, options) => {
    const answers = await atOnce(64, () => post(submission, options))

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    const { leads, sessions, counts } = await stored()
    expect(leads).toHaveLength(1)
    expect(sessions).toHaveLength(submission.conversation ? 1 : 0)
    expect(counts).toEqual([['nivasa-enchante', 1]])
  })

  it('is the same from another address and browser where messages have ids', async () => {
    const submission = leadSubmission()
    const first = await post(submission, { ip: '203.0.113.1', headers: { 'user-agent': 'A' } })
    const again = await post(submission, { ip: '203.0.113.2', headers: { 'user-agent': 'B' } })
    expect(again.body.lead.id).toBe(first.body.lead.id)
  })

  it('tells nothing of a lead to who guessed its messages', async () => {
    const submission = leadSubmission()
    const first = await post(submission)
    const { microsite, phone, conversation } = submission
    const messages = conversation.map(({ id, timestamp }) => ({ id, timestamp, type: 'user', text: 'guess' }))
    const guess = await post({ microsite, phone, conversation: messages })
    expect(guess.body.lead).toMatchObject({ id: first.body.lead.id, createdAt: first.body.lead.createdAt })
    for (const secret of ['Test Visitor', 'Pricing']) expect(JSON.stringify(guess.body)).not.toContain(secret)
    expect((await stored()).leads).toHaveLength(1)
  })

  it('is the same in another spelling of the phone', async () => {
    const submission = leadSubmission()
    const first = await post({ ...submission, phone: '+919876501234' })
    const again = await post({ ...submission, phone: '098765 01234' })
    expect(again.body.lead.id).toBe(first.body.lead.id)
  })
})

describe('another submission', () => {
  const anonymous = (overrides: Record<string, unknown> = {}) =>
    leadSubmission({ phone: undefined, conversation: [{ type: 'user', text: 'hello' }], ...overrides })

  it.each<[string, Record<string, unknown>]>([
    ['phone', { phone: '+919876509999' }],
    ['microsite', { microsite: 'skyline-towers' }],
    ['conversation', { conversation: leadSubmission().conversation }],
  ])('is another lead by its %s', async (_, difference) => {
    const submission = leadSubmission()
    const first = await post(submission)
    const other = await post({ ...submission, ...difference })
    expect(other.status).toBe(201)
    expect(other.body.lead.id).not.toBe(first.body.lead.id)
  })

  it.each<[string, Record<string, unknown>, CallOptions]>([
    ['address', {}, { ip: '203.0.113.99' }],
    ['browser', {}, { headers: { 'user-agent': 'another' } }],
    ['BHK', { bhkType: '4 BHK' }, {}],
    ['first visit', { metadata: { visitor: { firstSeenAt: '2026-11-22T06:00:00.000Z' } } }, {}],
  ])('without message ids is another visitor by %s', async (_, difference, options) => {
    const first = await post(anonymous())
    const other = await post(anonymous(difference), options)
    expect(other.body.lead.id).not.toBe(first.body.lead.id)
    expect((await post(anonymous())).body.lead.id).toBe(first.body.lead.id)
  })

  it.each([
    ['no phone', undefined],
    ['one phone', '+919876501234'],
  ])('of a widget that counts its messages is another one by their times, with %s', async (_, phone) => {
    const counted = (startedAt: number) =>
      leadSubmission({
        phone,
        conversation: ['hello', '2 BHK'].map((text, i) => ({
          id: i + 1,
          type: 'user',
          text,
          timestamp: startedAt + i * 1_000,
        })),
      })
    const [one, other] = [await post(counted(1795326992101)), await post(counted(1795326995333))]
    expect(other.body.lead.id).not.toBe(one.body.lead.id)
    expect((await post(counted(1795326992101))).body.lead.id).toBe(one.body.lead.id)
    const { leads, sessions, counts } = await stored()
    expect([leads.length, sessions.length, counts]).toEqual([2, 2, [['nivasa-enchante', 2]]])
  })

  it('without message ids is another one on another day', async () => {
    const input = LeadInput.parse(anonymous())
    const project = { projectId: 'nivasa-enchante', allowsOrigin: () => true }
    const on = async (day: string) => {
      const tasks: Promise<unknown>[] = []
      const lead = await captureLead(input, project, {
        now: new Date(day),
        clientAddress: '203.0.113.7',
        network: '203.0.113.7',
        userAgent: 'A',
        idempotencyKey: undefined,
        strict: false,
        background: task => void tasks.push(task),
      })
      await Promise.all(tasks)
      return lead
    }
    const first = await on('2026-11-22T00:00:00.000Z')
    expect((await on('2026-11-22T23:59:59.999Z')).id).toBe(first.id)
    expect((await on('2026-11-23T00:00:00.000Z')).id).not.toBe(first.id)
  })
})

describe('an Idempotency-Key', () => {
  it('stands for its own body only: another is a conflict and leaves nothing behind', async () => {
    const first = await post(leadSubmission(), withKey('k1'))
    const other = await post(leadSubmission({ phone: '+919876509999' }), withKey('k1'))

    expect(first.status).toBe(201)
    expect(other.status).toBe(409)
    expect(other.body.code).toBe('conflict')
    expect(other.body).not.toHaveProperty('lead')
    const { leads, sessions, counts } = await stored()
    expect(leads.map(({ phone }) => phone)).toEqual(['+919876501234'])
    expect(sessions.map(({ phone }) => phone)).toEqual(['+919876501234'])
    expect(counts).toEqual([['nivasa-enchante', 1]])
  })

  it('gives the chat of a refused body to nobody, not to a lead that has none either', async () => {
    await post(leadSubmission({ conversation: undefined }), withKey('k1'))
    const { status } = await post(leadSubmission(), withKey('k1'))
    expect(status).toBe(409)
    expect((await stored()).sessions).toEqual([])
  })

  it('stands for one of two bodies that arrive at once, whole', async () => {
    const bodies = [leadSubmission(), leadSubmission({ phone: '+919876509999' })]
    const answers = await atOnce(32, i => post(bodies[i % 2], withKey('k1')))

    const { leads, sessions, counts } = await stored()
    expect(leads).toHaveLength(1)
    const winner = bodies.findIndex(({ phone }) => phone === leads[0]?.phone)
    expect(answers.map(({ status }) => status)).toEqual(answers.map((_, i) => (i % 2 === winner ? 201 : 409)))
    expect(sessions.map(({ conversation }) => conversation)).toEqual([bodies[winner]?.conversation])
    expect(counts).toEqual([['nivasa-enchante', 1]])
  })

  it('counts within its microsite', async () => {
    const first = await post(leadSubmission({ microsite: 'a' }), withKey('k1'))
    const other = await post(leadSubmission({ microsite: 'b' }), withKey('k1'))
    expect([first.status, other.status]).toEqual([201, 201])
    expect(other.body.lead.id).not.toBe(first.body.lead.id)
  })

  it('makes two leads of what would be one without it', async () => {
    const submission = leadSubmission()
    const first = await post(submission, withKey('k1'))
    const other = await post(submission, withKey('k2'))
    expect(other.body.lead.id).not.toBe(first.body.lead.id)
  })
})

describe('a crash between the writes of a capture', () => {
  it.each([
    ['by its messages', {}],
    ['by its Idempotency-Key', withKey('k1')],
  ])('that lost the session is mended by the retry, known %s', async (_, options) => {
    const submission = leadSubmission()
    const first = await post(submission, options)
    const before = await stored()
    await (await chatSessions.open()).deleteMany({})

    const again = await post(submission, options)
    expect(again.body).toEqual(first.body)
    // The times of the mended chat are those of the retry.
    const times = { createdAt: expect.any(Date), updatedAt: expect.any(Date) }
    const sessions = before.sessions.map(session => ({ ...session, ...times }))
    expect(sessions).toHaveLength(1)
    expect(await stored()).toEqual({ ...before, sessions })
  })

  it('that lost the lead is mended by the retry', async () => {
    const submission = leadSubmission()
    const first = await post(submission)
    await backgroundTasksDone()
    await (await leads.open()).deleteMany({})
    await (await eventCounts.open()).deleteMany({})

    const again = await post(submission)
    expect(again.body.lead.id).toBe(first.body.lead.id)
    const { leads: mended, sessions, counts } = await stored()
    expect(mended.map(({ _id }) => _id)).toEqual(sessions.map(({ leadId }) => leadId))
    expect(mended).toHaveLength(1)
    expect(counts).toEqual([['nivasa-enchante', 1]])
  })
})

describe('the counter of captured leads', () => {
  it('counts each new lead of a microsite and day once, however many come at once', async () => {
    const phones = Array.from({ length: 32 }, (_, i) => `+9198765012${String(i).padStart(2, '0')}`)
    await atOnce(64, i => post(leadSubmission({ phone: phones[i % 32], conversation: [] })))
    await post(leadSubmission({ microsite: 'Skyline.Towers' }))

    const { leads: captured, counts } = await stored()
    expect(captured).toHaveLength(33)
    expect(Object.fromEntries(counts)).toEqual({ 'nivasa-enchante': 32, 'Skyline.Towers': 1 })
    const [counter] = await (await eventCounts.open()).find({ count: 1 }).toArray()
    expect(counter?._id).toEqual({
      projectId: 'nivasa-enchante',
      microsite: 'Skyline.Towers',
      type: 'leadsCaptured',
      day: dayOf(captured[0]?.createdAt ?? new Date(0)),
    })
  })

  it('leaves out what is in quarantine', async () => {
    await post(leadSubmission({ phone: '12345' }))
    const { leads: quarantined, counts } = await stored()
    expect(quarantined).toHaveLength(1)
    expect(counts).toEqual([])
  })
})
