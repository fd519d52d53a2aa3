import { ObjectId } from 'mongodb'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DataScope } from '../../../lib/domain/data-scope.js'
import {
  LeadFilter,
  type LeadPage,
  LeadSelection,
  listLeads,
  streamLeads,
} from '../../../lib/domain/leads/lead-list.js'
import { type Lead, leads } from '../../../lib/domain/leads/leads.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { costOf, listenToCommands, type SentCommand } from '../../support/fixtures/commands.js'
import { storedLead } from '../../support/fixtures/leads.js'

const LEADS = 10_000
const MICROSITES = 20
const OWNERS = 4
const DAY_MS = 24 * 60 * 60 * 1000
const START = Date.UTC(2026, 0, 1)

const owners = Array.from({ length: OWNERS }, () => new ObjectId())

/**
 * Every tenth of them is quarantined; a microsite belongs to one owner. Of each microsite 40 are closed and 40 want
 * four rooms; 20 are both, and none of these is quarantined.
 */
function leadAt(i: number): Lead {
  const ownerId = owners[i % OWNERS]
  const kind = Math.floor(i / MICROSITES) % 25
  return storedLead({
    createdAt: new Date(START + Math.floor(i / 100) * DAY_MS),
    microsite: `site${i % MICROSITES}.example`,
    projectId: `site${i % MICROSITES}.example`,
    ...(ownerId && { ownerId }),
    phone: `+9198765${String(i).padStart(5, '0')}`,
    name: i % 500 === 0 ? 'Zoé Quixote' : 'Asha Rao',
    status: kind === 3 || kind === 11 ? 'closed' : 'new',
    bhkType: kind === 7 || kind === 11 ? '4 BHK' : '1 BHK',
    ...(Math.floor(i / MICROSITES) % 10 === 9 && { spam: { score: 1, reasons: ['links'] } }),
  })
}

let sent: SentCommand[]

async function costsOf(scope: DataScope, query: Record<string, unknown>) {
  sent.length = 0
  const page: LeadPage = await listLeads(scope, LeadFilter.parse(query))
  const find = sent.find(({ name, collection }) => name === 'find' && collection === leads.name)
  const count = sent.find(({ name }) => name === 'aggregate')
  if (!find || !count) throw new Error('A list is a find and a count')
  return { page, find: await costOf(find), count: await costOf(count) }
}

// What a plan is called, and what it counts, is the engine's own.
describe.runIf(testDatabase().kind === 'embedded')('what a page of 10,000 leads costs', () => {
  beforeAll(async () => {
    await emptyDatabase()
    const all = testDatabase().db.collection<Lead>(leads.name)
    for (let i = 0; i < LEADS; i += 500)
      await all.insertMany(Array.from({ length: 500 }, (_, j) => leadAt(i + j)))
    sent = await listenToCommands()
  })

  const owner = owners[1]
  const owned: DataScope = owner ? { ownerIds: [owner] } : {}
  const site = 'site5.example'
  const ofSite = { microsite: site }
  const limited: DataScope = { microsites: [site, 'site6.example', 'site7.example'] }
  const february: Record<string, unknown> = { startDate: '2026-02-01', endDate: '2026-02-28' }

  // The last number: in how many parts of the index the page is looked for at once, where that is not one.
  it.each<[string, DataScope, Record<string, unknown>, number, string, number?]>([
    ['everything', {}, {}, 9_000, 'list'],
    ['a limit', {}, { limit: 200 }, 9_000, 'list'],
    ['a day', {}, { startDate: '2026-02-10', endDate: '2026-02-10' }, 100, 'list'],
    ['a status', {}, { status: 'closed' }, 800, 'status'],
    ['a frequent status', {}, { status: 'new' }, 8_200, 'status'],
    ['a type', {}, { bhkType: '4 BHK' }, 800, 'bhkType'],
    ['a month of a status', {}, { status: 'closed', ...february }, 220, 'status'],
    ['a quarantine', {}, { spam: 'only' }, 1_000, 'list'],
    ['everything and the quarantine', {}, { spam: 'all' }, 10_000, 'list', 2],
    ['a status and the quarantine', {}, { spam: 'all', status: 'closed' }, 800, 'status', 2],
    ['a microsite', {}, ofSite, 450, 'microsite_list'],
    ['a month of a microsite', {}, { ...ofSite, ...february }, 126, 'microsite_list'],
    ['a microsite and its quarantine', {}, { ...ofSite, spam: 'all' }, 500, 'microsite_list', 2],
    ['a status of a microsite', {}, { ...ofSite, status: 'closed' }, 40, 'microsite_status'],
    ['a type of a microsite', {}, { ...ofSite, bhkType: '4 BHK' }, 40, 'microsite_bhkType'],
    ['the microsites of a key', limited, {}, 1_350, 'microsite_list', 3],
    ['the microsites of a key, and their quarantine', limited, { spam: 'all' }, 1_500, 'microsite_list', 6],
    ['a status of the microsites of a key', limited, { status: 'closed' }, 120, 'microsite_status', 3],
    ['one of the microsites of a key', limited, ofSite, 450, 'microsite_list'],
    ['an owner', owned, {}, 2_250, 'owner_list'],
    ['a month of an owner', owned, february, 630, 'owner_list'],
    ['an owner and its quarantine', owned, { spam: 'all' }, 2_500, 'owner_list', 2],
    ['a status of an owner', owned, { status: 'closed' }, 200, 'owner_status'],
    ['a type of an owner', owned, { bhkType: '4 BHK' }, 200, 'owner_bhkType'],
    ['an owner’s microsite', owned, ofSite, 450, 'microsite_list'],
    ['a status of an owner’s microsite', owned, { ...ofSite, status: 'closed' }, 40, 'microsite_status'],
    ['the owners of a key', { ownerIds: owners.slice(0, 2) }, {}, 4_500, 'owner_list', 2],
  ])(
    'of %s: a key and a document for each that is shown, or counted',
    async (_, scope, query, total, index, parts = 1) => {
      const { page, find, count } = await costsOf(scope, query)
      expect(page.total).toBe(total)
      const shown = Math.min(total, Number(query.limit ?? 50) + 1)
      const stages = ['LIMIT', 'FETCH', ...(parts > 1 ? ['SORT_MERGE'] : []), 'IXSCAN']
      expect(find).toEqual({ stages, index, keys: expect.any(Number), documents: shown })
      // The next of every other part has been looked at.
      expect(find.keys).toBeLessThanOrEqual(shown + parts - 1)
      expect(count.keys).toBe(total)
      expect(count.stages).not.toContain('COLLSCAN')
    },
  )

  it('of a status and a type: at most those of one of them', async () => {
    const { page, find, count } = await costsOf(owned, { status: 'closed', bhkType: '4 BHK' })
    expect(page.total).toBe(100)
    for (const { stages, index, keys } of [find, count]) {
      expect(stages).not.toContain('SORT')
      expect(index).toMatch(/^owner_(status|bhkType)$/)
      expect(keys).toBeLessThanOrEqual(200)
    }
  })

  it('of an export: a key and a document for each lead, in order', async () => {
    sent.length = 0
    const selection = LeadSelection.parse({ microsite: site, spam: 'all' })
    let exported = 0
    for await (const _ of streamLeads(owned, selection)) exported += 1
    const [find] = sent.filter(({ name }) => name === 'find')
    expect(exported).toBe(500)
    expect(find && (await costOf(find))).toEqual({
      stages: ['FETCH', 'SORT_MERGE', 'IXSCAN'],
      index: 'microsite_list',
      keys: 500,
      documents: 500,
    })
  })

  it('is the same on the last page as on the first', async () => {
    const page = (cursor: string | null) => LeadFilter.parse({ limit: 200, ...(cursor && { cursor }) })
    let cursor: string | null = null
    for (let i = 0; i < 44; i++) cursor = (await listLeads({}, page(cursor))).nextCursor
    const last = await costsOf({}, { limit: 200, cursor })

    expect(last.page).toMatchObject({ nextCursor: null, total: 9_000 })
    expect(last.page.items).toHaveLength(200)
    // Beside those of the page, at most the keys of the moment at which the page before ended.
    expect(last.find).toMatchObject({ stages: ['LIMIT', 'FETCH', 'IXSCAN'], index: 'list' })
    expect(last.find.keys).toBeLessThanOrEqual(200 + 100)
  })

  it('searched by three digits: those that they begin, side by side', async () => {
    const { page, find, count } = await costsOf({}, { search: '509', spam: 'all' })
    expect(page.total).toBe(1_019)
    expect(find).toMatchObject({ stages: ['LIMIT', 'FETCH', 'SORT_MERGE', 'IXSCAN'], index: 'search' })
    expect(find.keys).toBeLessThanOrEqual(51 + 10)
    // One of them has these digits twice.
    expect(count).toMatchObject({ index: 'search', keys: 1_020 })
  })

  it.each<[string, DataScope, string, number, number, string]>([
    ['the last digits of a phone', {}, '509877', 1, 15, 'search'],
    ['a phone in a national format', {}, '098765-00 077', 1, 1, 'search'],
    ['the beginning of a name, before what is frequent', {}, 'zoe q', 20, 20, 'search'],
    ['a host, which ends as all of them do', {}, 'site5.example', 500, 500, 'search'],
    ['a name', {}, 'zoe quixote', 20, 20, 'search'],
    ['a name among an owner’s', { ownerIds: owners.slice(0, 1) }, 'QUIXOTE', 20, 20, 'owned_search'],
    ['a name among the owners of a key', { ownerIds: owners.slice(0, 2) }, 'QUIXOTE', 20, 20, 'owned_search'],
  ])('searched by %s: what its rarest part leads to', async (_, scope, search, found, most, asked) => {
    const { page, find, count } = await costsOf(scope, { search, spam: 'all' })
    expect(page.total).toBe(found)
    for (const { stages, index, keys, documents } of [find, count]) {
      expect(stages).not.toContain('COLLSCAN')
      expect(stages).not.toContain('SORT')
      expect(index).toBe(asked)
      expect(keys).toBeLessThanOrEqual(most)
      expect(documents).toBeLessThanOrEqual(most)
    }
  })
})
