import type { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import { createApiKey } from '../../lib/domain/accounts/api-keys.js'
import type { LeadPage } from '../../lib/domain/leads/lead-list.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { leadSubmission, storedLead } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

interface ListAnswer extends Wire<LeadPage> {
  details?: ErrorDetail[]
}

const list = (query: Record<string, string>, token = adminToken()) =>
  call<ListAnswer>(leadsRoute, 'GET', `/api/leads?${new URLSearchParams(query)}`, { token })

const namesOf = ({ body }: { body: ListAnswer }) => body.items.map(({ name }) => name).sort()

async function store(...documents: Lead[]) {
  await (await leads.open()).insertMany(documents)
}

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('a search', () => {
  const utm = { source: 'Google Ads', medium: 'cpc', campaign: 'Diwali-2026-11_Launch' }
  const submitted = () =>
    leadSubmission({
      phone: '098765 01234',
      microsite: 'Lake.View.example',
      metadata: { name: 'Zoë O’Brien-Müller', visitor: { utm, landingPage: '/offers' } },
    })

  it.each([
    ['part of its phone', '6501'],
    ['three digits of its phone', '876'],
    ['the last three digits of its phone', '234'],
    ['the start of its phone in E.164', '+919876'],
    ['its phone in E.164', '+91 98765 01234'],
    ['its phone as a number abroad is dialled', '00919876501234'],
    ['its phone in a national format', '(098765) 01-234'],
    ['a part of it that begins with a zero', '01234'],
    ['its name without accents, in another case', 'zoe'],
    ['its name with accents', 'MÜLLER'],
    ['accents that are characters of their own', 'Zoe\u0308'],
    ['a part that spans words', 'brien mul'],
    ['other punctuation than it has', 'o brien - m'],
    ['its microsite', 'lake.view'],
    ['a part of its microsite', 'VIEW example'],
    ['its campaign', 'diwali-2026'],
    ['three digits of its campaign', '202'],
    ['numbers of its campaign', '2026-11'],
    ['numbers of its campaign, separated otherwise', '2026 11'],
    ['a part of its phone that begins with zeros', '012'],
    ['a part of its phone, separated in any way', '765-012'],
    ['its source', 'google ads'],
  ])('finds a lead by %s', async (_, search) => {
    await post(submitted())
    await store(storedLead({ name: 'another', phone: '+918000055555', microsite: 'hill' }))

    const answer = await list({ search })
    expect(namesOf(answer)).toEqual(['Zoë O’Brien-Müller'])
    expect(answer.body).toMatchObject({ total: 1, nextCursor: null })
  })

  it.each([
    ['what nobody typed in', '98765012345'],
    ['the words in another order', 'brien zoe'],
    ['where it landed', 'offers'],
    ['how it came', 'cpc'],
    ['a pattern that its name matches', 'Z.*r'],
    ['a pattern of any character', 'z.e'],
    ['a class of characters', '[a-z]oe'],
    ['an alternative', 'zoe|xyz'],
  ])('finds none by %s', async (_, search) => {
    await post(submitted())
    expect(namesOf(await list({ search, spam: 'all' }))).toEqual([])
  })

  it.each([
    ['राम', 'राम सिंह'],
    ['सीता', 'सीता सिंह'],
    ['सिंह', 'राम सिंह', 'सीता सिंह'],
    ['zoya ज़ोया', 'Zoya ज़ोया'],
    ['محمد', 'مُحَمَّد'],
  ])('finds by %s who is called that: vowels of Indian scripts are no accents', async (search, ...names) => {
    const all = ['राम सिंह', 'सीता सिंह', 'रोमी', 'सुत', 'Zoya ज़ोया'.normalize('NFC'), 'مُحَمَّد']
    await store(...all.map(name => storedLead({ name })))
    expect(namesOf(await list({ search }))).toEqual(names.map(name => name.normalize('NFC')))
  })

  it('finds a phone that is none as it was written, where quarantine is asked for', async () => {
    await post({ ...submitted(), phone: '0123-45' })
    expect((await list({ search: '012345' })).body.total).toBe(0)
    expect((await list({ search: '12345', spam: 'all' })).body.total).toBe(1)
  })

  it.each(['ab', '12', '+9 1', '...', '*', '()-. '])('of %j is too short', async search => {
    const { status, body } = await list({ search })
    expect(status).toBe(400)
    expect(body.details).toEqual([{ path: 'query.search', message: expect.stringContaining('at least 3') }])
  })

  it('finds a long microsite by all of it, though less is kept to search in', async () => {
    const microsite = `${'nivasa-enchante-'.repeat(4)}pune.example`
    await post(leadSubmission({ microsite }))
    expect((await list({ search: microsite })).body.total).toBe(1)
    expect((await list({ search: `x${microsite}` })).body.total).toBe(0)
  })

  it('of more than 100 characters is refused', async () => {
    expect((await list({ search: 'a'.repeat(101) })).status).toBe(400)
  })

  it('goes with other filters and pages like any list', async () => {
    const day = (i: number) => new Date(Date.UTC(2026, 0, i))
    await store(
      ...Array.from({ length: 9 }, (_, i) =>
        storedLead({ name: `Meera ${i}`, microsite: i % 3 ? 'a' : 'b', createdAt: day(1 + i) }),
      ),
      storedLead({ name: 'Ravi', microsite: 'a' }),
    )
    const query = { search: 'meera', microsite: 'a', startDate: '2026-01-03', limit: '2' }
    const first = await list(query)
    expect(first.body.items.map(({ name }) => name)).toEqual(['Meera 8', 'Meera 7'])
    expect(first.body.total).toBe(5)
    await store(storedLead({ name: 'Meera late', microsite: 'a' }))
    const second = await list({ ...query, cursor: first.body.nextCursor ?? '' })
    expect(second.body.items.map(({ name }) => name)).toEqual(['Meera 5', 'Meera 4'])
    const third = await list({ ...query, cursor: second.body.nextCursor ?? '' })
    expect(third.body.items.map(({ name }) => name)).toEqual(['Meera 2'])
    expect(third.body.nextCursor).toBeNull()
  })
})

describe('a search for three digits', () => {
  it('finds each lead once and the newest first, whatever digit follows them, and however often', async () => {
    const phones = ['+918981000000', '+918000000898', '+918989898989', '+918000089870', '+918000089760']
    await store(
      ...phones.map((phone, i) => storedLead({ phone, createdAt: new Date(Date.UTC(2026, 0, 1 + i)) })),
      storedLead({ phone: '+918000000089' }),
    )
    const query = { search: '898', limit: '2' }
    const first = await list(query)
    const second = await list({ ...query, cursor: first.body.nextCursor ?? '' })
    const phonesOf = ({ body }: { body: ListAnswer }) => body.items.map(({ phone }) => phone)
    expect(phonesOf(first)).toEqual(['+918000089870', '+918989898989'])
    expect(phonesOf(second)).toEqual(['+918000000898', '+918981000000'])
    expect([first.body.total, second.body.total, second.body.nextCursor]).toEqual([4, 4, null])
  })
})

describe('who sees a lead', () => {
  it('is its owner, an admin, and a key that reaches it, whatever is filtered by', async () => {
    const [asha, ravi] = [await createTestUser(), await createTestUser()]
    const service = async (limits: { microsites?: string[] }, ownerId?: ObjectId) =>
      (await createApiKey({ scopes: ['leads:read'], ...limits }, ownerId, new Date())).key
    await store(
      storedLead({ name: 'Asha one', microsite: 'one', ownerId: asha.user._id }),
      storedLead({ name: 'Asha two', microsite: 'two', ownerId: asha.user._id }),
      storedLead({ name: 'Ravi one', microsite: 'one', ownerId: ravi.user._id }),
      storedLead({ name: 'Nobody one', microsite: 'one' }),
    )
    const tokens: [string, string[]][] = [
      [asha.token, ['Asha one', 'Asha two']],
      [ravi.token, ['Ravi one']],
      [adminToken(), ['Asha one', 'Asha two', 'Nobody one', 'Ravi one']],
      [await service({}, asha.user._id), ['Asha one', 'Asha two']],
      [await service({ microsites: ['two', 'three'] }, asha.user._id), ['Asha two']],
      [await service({ microsites: ['one', 'three'] }), ['Asha one', 'Nobody one', 'Ravi one']],
    ]
    const filters: Record<string, string>[] = [
      {},
      { microsite: 'one' },
      { microsite: 'two' },
      { search: 'one' },
      { search: 'asha' },
      { search: '9876501234' },
      { spam: 'all' },
      { count: 'exact' },
    ]
    const all = (await list({}, adminToken())).body.items
    for (const [token, seen] of tokens) {
      for (const filter of filters) {
        const allowed = (await list(filter)).body.items.map(({ name }) => name ?? '')
        const answer = await list(filter, token)
        const expected = allowed.filter(name => seen.includes(name)).sort()
        expect(namesOf(answer)).toEqual(expected)
        expect(answer.body.total).toBe(expected.length)
      }
    }
    expect(all).toHaveLength(4)
  })

  it('is nobody behind a key that may only write', async () => {
    const { key } = await createApiKey({ scopes: ['leads:write'] }, undefined, new Date())
    expect((await list({}, key)).status).toBe(403)
  })
})

async function post(body: unknown) {
  expect((await call(leadsRoute, 'POST', '/api/leads', { body })).status).toBe(201)
  await backgroundTasksDone()
}
