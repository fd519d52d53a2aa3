import { ObjectId } from 'mongodb'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ApiKey, ApiKeyFilter, listApiKeys } from '../../lib/domain/accounts/api-keys.js'
import { listUsers, UserFilter } from '../../lib/domain/accounts/user-administration.js'
import { ChatSession } from '../../lib/domain/chats/chat-sessions.js'
import { ChatSessionFilter, listChatSessions } from '../../lib/domain/chats/session-list.js'
import type { DataScope } from '../../lib/domain/data-scope.js'
import { CountedType } from '../../lib/domain/events/event-counts.js'
import { SummaryFilter, summariseEvents } from '../../lib/domain/events/event-summary.js'
import { recount } from '../../lib/domain/events/recount.js'
import { listPhoneNumbers, PhoneNumberFilter } from '../../lib/domain/phones/phone-numbers.js'
import { findPeriodBefore, newPeriod } from '../../lib/domain/usage/usage-periods.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { type Cost, costOf, listenToCommands, type SentCommand } from '../support/fixtures/commands.js'
import { storedLead } from '../support/fixtures/leads.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { storedUser } from '../support/users.js'

const ROWS = 2_000
const MICROSITES = 20
const DAY_MS = 24 * 60 * 60 * 1000
const START = Date.UTC(2026, 0, 1)

let sent: SentCommand[]

/** What each query of a call costs, by the collection that it asks. */
async function costsOf(run: () => Promise<unknown>): Promise<Record<string, Cost[]>> {
  sent.length = 0
  await run()
  const costs: Record<string, Cost[]> = {}
  for (const query of sent.filter(({ name }) => name === 'find' || name === 'aggregate')) {
    const cost = await costOf(query)
    costs[query.collection] = [...(costs[query.collection] ?? []), cost]
  }
  return costs
}

async function store(collection: string, count: number, documentAt: (i: number) => object): Promise<void> {
  const all = testDatabase().db.collection(collection)
  for (let i = 0; i < count; i += 500)
    await all.insertMany(Array.from({ length: Math.min(500, count - i) }, (_, j) => documentAt(i + j)))
}

const siteAt = (i: number) => `site${i % MICROSITES}.example`
const dayAt = (i: number) => new Date(START + i * DAY_MS)
/** Fifty a day. */
const createdAt = (i: number) => dayAt(Math.floor(i / 50))
const owner = new ObjectId()
const owned: DataScope = { ownerIds: [owner] }

// What a plan is called, and what it counts, is the engine's own.
describe.runIf(testDatabase().kind === 'embedded')('what is read', () => {
  beforeAll(async () => {
    sent = await listenToCommands()
  })

  describe('of 2,000 chats', () => {
    const leadIds = Array.from({ length: ROWS / 2 }, () => new ObjectId())

    // Half of the microsites belong to the owner; a lead has two chats, a phone four.
    beforeAll(async () => {
      await emptyDatabase()
      await store('chatsessions', ROWS, i =>
        ChatSession.parse({
          _id: new ObjectId(),
          sessionId: `s${i}`,
          microsite: siteAt(i),
          projectId: siteAt(i),
          ...(i % 2 === 1 && { ownerId: owner }),
          leadId: leadIds[i % leadIds.length],
          phone: `+9198765${String(i % (ROWS / 4)).padStart(5, '0')}`,
          conversation: [],
          metadata: {},
          createdAt: createdAt(i),
          updatedAt: createdAt(i),
        }),
      )
    })

    const site = siteAt(5)
    const fiveDays = { startDate: '2026-01-10', endDate: '2026-01-14' }
    it.each<[string, DataScope, Record<string, unknown>, number, string, number?]>([
      ['everything', {}, {}, ROWS, 'newest'],
      ['some days', {}, fiveDays, 250, 'newest'],
      ['a microsite', {}, { microsite: site }, 100, 'microsite_newest'],
      ['some days of a microsite', {}, { microsite: site, startDate: '2026-01-10' }, 77, 'microsite_newest'],
      ['an owner', owned, {}, 1_000, 'owner_newest'],
      ['some days of an owner', owned, fiveDays, 125, 'owner_newest'],
      ['an owner’s microsite', owned, { microsite: site }, 100, 'microsite_newest'],
      ['the microsites of a key', { microsites: [site, siteAt(6)] }, {}, 200, 'microsite_newest', 2],
      ['a lead', {}, { leadId: String(leadIds[3]) }, 2, 'lead_newest'],
      ['an owner’s lead', owned, { leadId: String(leadIds[3]) }, 2, 'lead_newest'],
      ['a person', {}, { phone: '098765 00007' }, 4, 'person_newest'],
      ['an owner’s person', owned, { phone: '098765 00007' }, 4, 'person_newest'],
      ['some days of a person', {}, { phone: '+919876500007', endDate: '2026-01-20' }, 2, 'person_newest'],
    ])(
      'for %s is a key and a document for each that is shown, or counted',
      async (_, scope, query, total, index, parts = 1) => {
        let found = 0
        const { chatsessions = [] } = await costsOf(async () => {
          found = (await listChatSessions(scope, ChatSessionFilter.parse(query))).total
        })
        expect(found).toBe(total)
        const [find, count] = chatsessions
        const shown = Math.min(51, total)
        const stages = ['LIMIT', 'FETCH', ...(parts > 1 ? ['SORT_MERGE'] : []), 'IXSCAN']
        expect(find).toEqual({ stages, index, keys: expect.any(Number), documents: shown })
        expect(find?.keys).toBeLessThanOrEqual(shown + parts - 1)
        expect(count?.keys).toBe(total)
        expect(count?.stages).not.toContain('COLLSCAN')
      },
    )

    it('is the same on the last page as on the first', async () => {
      let cursor: string | null = null
      const page = () =>
        listChatSessions({}, ChatSessionFilter.parse({ limit: 200, ...(cursor && { cursor }) }))
      for (let i = 0; i < 9; i++) cursor = (await page()).nextCursor
      const { chatsessions: [find] = [] } = await costsOf(page)
      expect(find).toMatchObject({ stages: ['LIMIT', 'FETCH', 'IXSCAN'], index: 'newest' })
      // Beside those of the page, at most the keys of the moment at which the page before ended.
      expect(find?.keys).toBeLessThanOrEqual(200 + 50)
    })
  })

  describe('of the accounts', () => {
    const page = { stages: ['LIMIT', 'FETCH', 'IXSCAN'], keys: 51, documents: 51 }

    beforeEach(emptyDatabase)

    // Every fiftieth is suspended.
    it.each<[string, Record<string, unknown>, Cost]>([
      ['a page of all', {}, { ...page, index: 'newest' }],
      ['a page of the active', { status: 'active' }, { ...page, index: 'newest', keys: 52, documents: 52 }],
      [
        'the suspended',
        { status: 'suspended' },
        { ...page, index: 'status_newest', keys: 40, documents: 40 },
      ],
      [
        'one',
        { email: 'user7@example.com' },
        { ...page, stages: expect.any(Array), index: 'email', keys: 1, documents: 1 },
      ],
    ])('for %s of 2,000 users is what is shown', async (_, query, cost) => {
      await store('users', ROWS, i =>
        storedUser({
          email: `user${i}@example.com`,
          createdAt: createdAt(i),
          status: i % 50 === 3 ? 'suspended' : 'active',
        }),
      )
      const { users } = await costsOf(() => listUsers(UserFilter.parse(query)))
      expect(users).toEqual([cost])
    })

    it.each<[string, ObjectId | undefined, Cost]>([
      ['all', undefined, { ...page, index: 'newest' }],
      ['an owner', owner, { ...page, index: 'owner_newest', keys: 20, documents: 20 }],
    ])('for the API keys of %s is what is shown', async (_, ownerId, cost) => {
      await store('apikeys', ROWS, i =>
        ApiKey.parse({
          _id: new ObjectId(),
          hash: `hash${i}`,
          prefix: 'prefix00',
          scopes: ['leads:read'],
          ...(i % 100 === 0 && { ownerId: owner }),
          createdAt: createdAt(i),
        }),
      )
      const { apikeys } = await costsOf(() => listApiKeys(ownerId, ApiKeyFilter.parse({})))
      expect(apikeys).toEqual([cost])
    })

    // Every fourth is assigned.
    it.each<[string, Record<string, unknown>, number]>([
      ['all', {}, 51],
      ['the free', { state: 'free' }, 2 * 51],
      ['the assigned', { state: 'assigned' }, 4 * 51],
      ['a later page of the free', { state: 'free', cursor: '+9198765001000' }, 2 * 51],
    ])('for %s of 2,000 phone numbers is little more than what is shown', async (_, query, most) => {
      await store('phonenumbers', ROWS, i => ({
        _id: `+9198765${String(i).padStart(6, '0')}`,
        ...(i % 4 === 0 && { userId: new ObjectId() }),
        createdAt: createdAt(i),
      }))
      const { phonenumbers: [find] = [] } = await costsOf(() =>
        listPhoneNumbers(PhoneNumberFilter.parse(query)),
      )
      expect(find?.stages).toEqual(['LIMIT', 'FETCH', 'IXSCAN'])
      expect(find?.documents).toBeLessThanOrEqual(most)
    })
  })

  it('to find the period that a call began in is no more after ten years', async () => {
    await emptyDatabase()
    const monthAt = (i: number) => new Date(Date.UTC(2016, i, 5))
    const entitlementOf = (i: number) => ({
      plan: 'basic' as const,
      period: { id: `sub_1:${monthAt(i).toISOString()}`, start: monthAt(i), end: monthAt(i + 1) },
    })
    await store('usageperiods', 120, i => newPeriod(owner, entitlementOf(i), monthAt(i)))
    const renewed = { plan: 'basic', stripeSubscriptionId: 'sub_1', currentPeriodStart: monthAt(120) }
    const { usageperiods } = await costsOf(async () => {
      const found = await findPeriodBefore(owner, renewed, new Date(monthAt(120).getTime() - 1))
      expect(found).toBe(entitlementOf(119).period.id)
    })
    expect(usageperiods).toEqual([expect.objectContaining({ index: 'user_newest', documents: 1 })])
    // The first moment of a month of 31 days, and its last.
    for (const at of [monthAt(0), new Date(monthAt(1).getTime() - 1)])
      expect(await findPeriodBefore(owner, renewed, at)).toBe(entitlementOf(0).period.id)
  })

  describe('of a year of counters', () => {
    const DAYS = 365
    const SITES = 10
    const types = CountedType.options

    beforeAll(async () => {
      await emptyDatabase()
      await store('widgetconfigs', SITES, i =>
        storedWidgetConfig({ projectId: siteAt(i), domains: [], ...(i < 2 && { ownerId: owner }) }),
      )
      await store('eventcounts', DAYS * SITES * types.length, i => {
        const place = siteAt(i % SITES)
        const type = types[Math.floor(i / SITES) % types.length]
        const day = dayAt(Math.floor(i / SITES / types.length))
          .toISOString()
          .slice(0, 10)
        return { _id: { projectId: place, microsite: place, type, day }, count: 1 }
      })
    })

    const month = { from: '2026-06-01', to: '2026-06-30' }
    const site = siteAt(1)
    it.each<[string, DataScope, Record<string, unknown>, number, string]>([
      ['a month of a microsite', {}, { ...month, microsite: site }, 30, 'microsite_day'],
      ['a year of a microsite', {}, { microsite: site }, DAYS, 'microsite_day'],
      ['a month of a project', {}, { ...month, projectId: site }, 30, 'project_day'],
      ['a month of an owner’s projects', owned, month, 30 * 2, 'project_day'],
      ['a month of an owner’s microsite', owned, { ...month, microsite: site }, 30, 'microsite_day'],
      ['a month of a key’s microsites', { microsites: [site, siteAt(2)] }, month, 30 * 2, 'microsite_day'],
      ['a month of everything', {}, month, 30 * SITES, 'day'],
    ])('for %s is a counter for each day, place and type', async (_, scope, query, counters, index) => {
      for (const interval of [{}, { interval: 'day' }]) {
        const { eventcounts } = await costsOf(() =>
          summariseEvents(scope, SummaryFilter.parse({ ...query, ...interval })),
        )
        const documents = counters * types.length
        expect(eventcounts).toEqual([expect.objectContaining({ index, keys: documents, documents })])
      }
    })

    it('for the recount of a day is that day', async () => {
      await store('leads', 500, i => storedLead({ createdAt: createdAt(i) }))
      const costs = await costsOf(() => recount(dayAt(3)))
      expect(costs.leads).toEqual([expect.objectContaining({ index: 'list', documents: 50 })])
      // And the counter of these leads, which it made.
      expect(costs.eventcounts?.[0]).toMatchObject({ index: 'day', documents: SITES * types.length + 1 })
      expect(costs.events?.[0]?.stages).not.toContain('COLLSCAN')
    })
  })
})
