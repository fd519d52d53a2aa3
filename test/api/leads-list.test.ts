import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import type { LeadPage } from '../../lib/domain/leads/lead-list.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { manyLeads, storedLead } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'

interface ListAnswer extends Wire<LeadPage> {
  code?: string
  details?: ErrorDetail[]
}

const list = (query: Record<string, string | number> = {}, token = adminToken()) => {
  const pairs = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
  return call<ListAnswer>(leadsRoute, 'GET', `/api/leads?${new URLSearchParams(pairs)}`, { token })
}

/** In portions: a single one of thousands would keep a development database from answering its monitors. */
async function store(...documents: Lead[]) {
  const all = testDatabase().db.collection<Lead>(leads.name)
  for (let i = 0; i < documents.length; i += 500) await all.insertMany(documents.slice(i, i + 500))
}

/** A name that tells a lead of a test from the others. */
const named = (name: string, overrides: Partial<Lead> = {}) => storedLead({ name, ...overrides })

const namesOf = ({ body }: { body: ListAnswer }) => body.items.map(({ name }) => name)

const B = '2026-03-10T00:00:00.000Z'
const C = '2026-03-10T23:59:59.999Z'

const at = (time: string) => ({ createdAt: new Date(time) })

beforeEach(emptyDatabase)

describe('what the list shows', () => {
  it('is each lead whole, under both names of its id and without what is ours', async () => {
    const lead = storedLead({
      ownerId: new ObjectId(),
      inputDigest: 'digest',
      conversation: [{ id: '1', type: 'user', text: 'hi', timestamp: 1795326993746 }],
      spam: { score: 1, reasons: ['invalid_phone'] },
    })
    await store(lead)
    await (await leads.open()).updateOne({}, { $set: { internalNote: 'ours' } })

    const { status, body } = await list({ spam: 'all' })
    expect(status).toBe(200)
    expect(body).toEqual({ items: [expect.anything()], total: 1, nextCursor: null })
    const { ownerId: _o, inputDigest: _d, quarantined: _q, searchKeys: _k, searchText: _t, ...shown } = lead
    expect(body.items[0]).toEqual({
      ...shown,
      id: lead._id.toHexString(),
      _id: lead._id.toHexString(),
      conversation: [{ ...lead.conversation[0], role: 'user' }],
      createdAt: lead.createdAt.toISOString(),
      updatedAt: lead.updatedAt.toISOString(),
    })
  })

  it('is nothing to whoever has no credentials', async () => {
    await store(storedLead())
    for (const token of ['', 'x'.repeat(64)]) {
      const { status, body } = await list({}, token)
      expect(status).toBe(401)
      expect(body).not.toHaveProperty('items')
    }
  })

  it('is nothing where there is nothing', async () => {
    expect((await list()).body).toEqual({ items: [], total: 0, nextCursor: null })
  })

  it('is a lead of the old system too, which may have no conversation', async () => {
    const { conversation: _none, ...old } = storedLead()
    await (await leads.open()).insertOne(old as Lead)

    const { status, body } = await list()
    expect(status).toBe(200)
    expect(body.items[0]?.conversation).toEqual([])
  })
})

describe('a filter', () => {
  it.each<[string, Record<string, string>, string[]]>([
    ['a microsite, by its dots and case', { microsite: 'Lake.View' }, ['lake']],
    ['a status', { status: 'closed' }, ['closed']],
    [
      'a status among fields that a form left empty',
      { status: 'closed', microsite: '', startDate: '' },
      ['closed'],
    ],
    ['a BHK type', { bhkType: 'Just Browsing' }, ['browsing']],
    ['a microsite and a status', { microsite: 'Lake.View', status: 'closed' }, []],
    ['nothing it knows', { t: '1795327006183', projectId: 'x' }, ['browsing', 'closed', 'lake']],
  ])('narrows the list and its total by %s', async (_, query, names) => {
    await store(
      named('lake', { microsite: 'Lake.View', ...at('2026-01-01') }),
      named('closed', { status: 'closed', ...at('2026-01-02') }),
      named('browsing', { bhkType: 'Just Browsing', ...at('2026-01-03') }),
    )
    const answer = await list(query)
    expect(namesOf(answer)).toEqual(names)
    expect(answer.body.total).toBe(names.length)
  })

  it.each<[string, Record<string, string>, string[]]>([
    [
      'whole days, the last one included',
      { startDate: '2026-03-10', endDate: '2026-03-11' },
      ['d', 'c', 'b'],
    ],
    ['one day', { startDate: '2026-03-10', endDate: '2026-03-10' }, ['c', 'b']],
    ['a start only', { startDate: '2026-03-11' }, ['e', 'd']],
    ['an end only', { endDate: '2026-03-09' }, ['a']],
    ['times, both ends included', { startDate: B, endDate: C }, ['c', 'b']],
    ['times of another zone', { startDate: '2026-03-11T05:29:59.999+05:30', endDate: C }, ['c']],
    ['an end before the start', { startDate: '2026-03-11', endDate: '2026-03-10' }, []],
  ])('by dates takes %s', async (_, query, names) => {
    await store(
      named('a', at('2026-03-09T23:59:59.999Z')),
      named('b', at(B)),
      named('c', at(C)),
      named('d', at('2026-03-11T23:59:59.999Z')),
      named('e', at('2026-03-12T00:00:00.000Z')),
    )
    const answer = await list(query)
    expect(namesOf(answer)).toEqual(names)
    expect(answer.body.total).toBe(names.length)
  })

  it.each<[Record<string, string>, string[]]>([
    [{}, ['clean']],
    [{ spam: 'no' }, ['clean']],
    [{ spam: 'only' }, ['spam']],
    [{ spam: 'all' }, ['spam', 'clean']],
  ])('on quarantine with %j shows %j', async (query, names) => {
    await store(
      named('clean', at('2026-01-01')),
      named('spam', { ...at('2026-01-02'), spam: { score: 1, reasons: ['invalid_phone'] } }),
    )
    const answer = await list(query)
    expect(namesOf(answer)).toEqual(names)
    expect(answer.body.total).toBe(names.length)
  })

  it.each([
    ['status', 'open'],
    ['bhkType', '2bhk'],
    ['spam', 'yes'],
    ['startDate', 'yesterday'],
    ['startDate', '2026-02-30'],
    ['endDate', 'March 5'],
    ['endDate', '5'],
    ['endDate', '2026-03-10T00:00:00'],
    ['limit', '0'],
    ['limit', '201'],
    ['limit', '1.5'],
    ['limit', 'all'],
    ['skip', '-1'],
    ['cursor', 'x'],
    ['cursor', '0.zz'],
    ['count', 'true'],
  ])('of %s=%s is refused by name', async (name, value) => {
    const { status, body } = await list({ [name]: value })
    expect(status).toBe(400)
    expect(body.details?.map(({ path }) => path)).toEqual([`query.${name}`])
  })
})

describe('the order and the pages', () => {
  it('are newest first, and by id where times are equal', async () => {
    const ids = Array.from({ length: 6 }, () => new ObjectId())
    const shuffled = [3, 0, 5, 1, 4, 2]
    await store(
      named('newer', at('2026-05-02')),
      ...shuffled.map(i => named(`${i}`, { ...at('2026-05-01'), ...(ids[i] && { _id: ids[i] }) })),
      named('older', at('2026-04-30')),
    )
    expect(namesOf(await list())).toEqual(['newer', '5', '4', '3', '2', '1', '0', 'older'])
  })

  it.each<{ microsite?: string }>([{}, { microsite: 'nivasa-enchante' }])(
    'are complete and without repeats while leads arrive, with %j',
    async filter => {
      // Runs of equal times that end within pages and at their edges.
      const early = Array.from({ length: 23 }, (_, i) =>
        named(`${i}`, { createdAt: new Date(Date.UTC(2026, 4, 1, 0, Math.floor(i / 5))) }),
      )
      await store(...early)
      const elsewhere = early
        .slice(0, 9)
        .map(({ createdAt }) => storedLead({ createdAt, microsite: 'other' }))
      if (filter.microsite) await store(...elsewhere)
      const whole = namesOf(await list(filter))

      const seen: (string | undefined)[] = []
      let cursor: string | null = null
      do {
        const answer: Awaited<ReturnType<typeof list>> = await list({
          ...filter,
          limit: 4,
          ...(cursor !== null && { cursor }),
        })
        expect(answer.status).toBe(200)
        expect(answer.body.items.length).toBeLessThanOrEqual(4)
        seen.push(...namesOf(answer))
        cursor = answer.body.nextCursor
        await store(named('late', at('2026-06-01')), named('late', at('2026-06-01')))
      } while (cursor !== null)

      expect(whole).toHaveLength(23)
      expect(seen).toEqual(whole)
    },
  )

  it('end without a cursor where the last page is just full', async () => {
    await store(named('a'), named('b'))
    expect((await list({ limit: 2 })).body.nextCursor).toBeNull()
    expect((await list({ limit: 1 })).body.nextCursor).not.toBeNull()
  })

  it('hold 50 leads unless asked otherwise, and up to 200', async () => {
    await store(...Array.from({ length: 201 }, () => storedLead()))
    expect((await list()).body.items).toHaveLength(50)
    const most = await list({ limit: 200 })
    expect(most.body.items).toHaveLength(200)
    expect(most.body.nextCursor).not.toBeNull()
  })

  it('may be skipped into, up to 10,000 and no further', async () => {
    await store(named('a', at('2026-01-01')), named('b', at('2026-01-02')), named('c', at('2026-01-03')))
    const second = await list({ skip: 1, limit: 1 })
    expect(namesOf(second)).toEqual(['b'])
    expect(second.body.total).toBe(3)
    expect(namesOf(await list({ cursor: second.body.nextCursor ?? '' }))).toEqual(['a'])

    expect((await list({ skip: 10_000 })).body.items).toEqual([])
    const refused = await list({ skip: 10_001 })
    expect(refused.status).toBe(400)
    expect(refused.body.details).toEqual([{ path: 'query.skip', message: expect.stringContaining('cursor') }])
  })
})

describe('the total', () => {
  it('is counted up to 10,000, and further only when asked', async () => {
    await store(...manyLeads(10_000))
    const atTheBound = await list({ limit: 1 })
    expect(atTheBound.body.total).toBe(10_000)
    expect(atTheBound.body).not.toHaveProperty('totalIsLowerBound')

    await store(storedLead(), storedLead({ microsite: 'other' }))
    expect((await list({ limit: 1 })).body).toMatchObject({ total: 10_000, totalIsLowerBound: true })
    const exact = await list({ limit: 1, count: 'exact' })
    expect(exact.body.total).toBe(10_002)
    expect(exact.body).not.toHaveProperty('totalIsLowerBound')
    expect((await list({ microsite: 'other' })).body.total).toBe(1)
  })

  it('is of everything that matches, on every page', async () => {
    await store(named('a', at('2026-01-01')), named('b', at('2026-01-02')), named('c', at('2026-01-03')))
    const first = await list({ limit: 1 })
    const second = await list({ limit: 1, cursor: first.body.nextCursor ?? '' })
    expect(namesOf(second)).toEqual(['b'])
    expect(second.body.total).toBe(3)
  })
})
