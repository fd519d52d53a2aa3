import { ObjectId } from 'mongodb'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DataScope } from '../../lib/domain/data-scope.js'
import { LeadFilter, type LeadPage, listLeads } from '../../lib/domain/lead-list.js'
import { type Lead, leads } from '../../lib/domain/leads.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { costOf, listenToCommands, type SentCommand } from '../support/fixtures/commands.js'
import { storedLead } from '../support/fixtures/leads.js'

const LEADS = 10_000
const MICROSITES = 20
const OWNERS = 4
const DAY_MS = 24 * 60 * 60 * 1000
const START = Date.UTC(2026, 0, 1)

const owners = Array.from({ length: OWNERS }, () => new ObjectId())

/** Every tenth of them is quarantined; a microsite belongs to one owner. */
function leadAt(i: number): Lead {
  const ownerId = owners[i % OWNERS]
  return storedLead({
    createdAt: new Date(START + Math.floor(i / 100) * DAY_MS),
    microsite: `site${i % MICROSITES}.example`,
    projectId: `site${i % MICROSITES}.example`,
    ...(ownerId && { ownerId }),
    phone: `+9198765${String(i).padStart(5, '0')}`,
    name: i % 500 === 0 ? 'Zoé Quixote' : 'Asha Rao',
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
  it.each<[string, DataScope, Record<string, unknown>, { total: number; index: string }]>([
    ['everything', {}, {}, { total: 9_000, index: 'list' }],
    ['a quarantine', {}, { spam: 'only' }, { total: 1_000, index: 'list' }],
    ['a microsite', {}, { microsite: 'site3.example' }, { total: 450, index: 'microsite_list' }],
    ['an owner', owned, {}, { total: 2_250, index: 'owner_list' }],
    ['an owner’s microsite', owned, { microsite: 'site5.example' }, { total: 450, index: 'microsite_list' }],
    ['a day', {}, { startDate: '2026-02-10', endDate: '2026-02-10' }, { total: 100, index: 'list' }],
    ['a limit', {}, { limit: 200 }, { total: 9_000, index: 'list' }],
  ])('of %s: a key and a document for each that is shown, or counted', async (_, scope, query, expected) => {
    const { page, find, count } = await costsOf(scope, query)
    expect(page.total).toBe(expected.total)
    const shown = Math.min(page.total, Number(query.limit ?? 50) + 1)
    expect(find).toEqual({
      stages: ['LIMIT', 'FETCH', 'IXSCAN'],
      index: expected.index,
      keys: shown,
      documents: shown,
    })
    expect(count).toMatchObject({ index: expected.index, keys: page.total })
    expect(count.stages).not.toContain('COLLSCAN')
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

  it.each<[string, DataScope, string, number]>([
    ['the last digits of a phone', {}, '509877', 1],
    ['a phone in a national format', {}, '098765-00 077', 1],
    ['a name', {}, 'zoe quixote', 20],
    ['a name among an owner’s', { ownerIds: [owners[0] ?? new ObjectId()] }, 'QUIXOTE', 20],
  ])('searched by %s: what its last three letters lead to', async (_, scope, search, found) => {
    const { page, find, count } = await costsOf(scope, { search, spam: 'all' })
    expect(page.total).toBe(found)
    for (const { stages, index, keys, documents } of [find, count]) {
      expect(stages).not.toContain('COLLSCAN')
      expect(stages).not.toContain('SORT')
      expect(index).toMatch(/search$/)
      expect(keys).toBeLessThanOrEqual(200)
      expect(documents).toBeLessThanOrEqual(200)
    }
  })
})
