import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import leadRoute from '../../api/leads/[id].js'
import { createApiKey } from '../../lib/domain/accounts/api-keys.js'
import { type Lead, leads, type PublicLead } from '../../lib/domain/leads/leads.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { storedLead } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

interface LeadAnswer {
  lead: Wire<PublicLead>
  code?: string
  details?: ErrorDetail[]
}

const get = (id: unknown, token = adminToken()) =>
  call<LeadAnswer>(leadRoute, 'GET', `/api/leads/${id}`, { token })

const patch = (id: unknown, body: unknown, token = adminToken()) =>
  call<LeadAnswer>(leadRoute, 'PATCH', `/api/leads/${id}`, { body, token })

async function store(lead: Lead): Promise<Lead> {
  await (await leads.open()).insertOne(lead)
  return lead
}

const stored = async ({ _id }: Lead) => (await leads.open()).findOne({ _id })

beforeEach(emptyDatabase)

describe('an update of a lead', () => {
  it.each(['', ' ', null])('sets its status where the note is %j', async note => {
    const lead = await store(storedLead())
    const { status, body } = await patch(lead._id, { status: 'contacted', note })
    expect([status, body.lead.status]).toEqual([200, 'contacted'])
    expect(body.lead.history?.at(-1)).not.toHaveProperty('note')
  })

  it('sets its status, keeps a note, and remembers who did it and when', async () => {
    const owner = await createTestUser()
    const lead = await store(storedLead({ ownerId: owner.user._id, createdAt: new Date('2026-01-01') }))
    const first = await patch(lead._id, { status: 'contacted' }, owner.token)
    const second = await patch(
      lead._id,
      { status: 'qualified', note: '  Wants a <b>visit</b>\n ' },
      owner.token,
    )
    const third = await patch(lead._id, { note: 'closed elsewhere' })

    expect([first, second, third].map(({ status }) => status)).toEqual([200, 200, 200])
    expect(third.body.lead).toMatchObject({ id: lead._id.toHexString(), status: 'qualified' })
    const history = third.body.lead.history ?? []
    const times = history.map(({ at }) => at)
    expect(history).toEqual([
      { at: times[0], by: history[0]?.by, status: 'contacted' },
      { at: times[1], by: history[0]?.by, status: 'qualified', note: 'Wants a <b>visit</b>' },
      { at: times[2], by: history[2]?.by, note: 'closed elsewhere' },
    ])
    expect(history[0]?.by).toContain(owner.user._id.toHexString())
    expect(history[2]?.by).not.toBe(history[0]?.by)
    expect([...times].sort()).toEqual(times)
    expect(third.body.lead.updatedAt).toBe(times[2])
    expect(third.body.lead.createdAt).toBe('2026-01-01T00:00:00.000Z')
    expect((await get(lead._id, owner.token)).body).toEqual(third.body)
  })

  it('keeps what several do at once, each of it', async () => {
    const lead = await store(storedLead())
    await Promise.all(Array.from({ length: 32 }, (_, i) => patch(lead._id, { note: `note ${i}` })))
    const notes = (await stored(lead))?.history?.map(({ note }) => note)
    expect(new Set(notes)).toEqual(new Set(Array.from({ length: 32 }, (_, i) => `note ${i}`)))
    expect(notes).toHaveLength(32)
  })

  it('keeps the last 200 of them', async () => {
    const history = Array.from({ length: 200 }, (_, i) => ({ at: new Date(), by: 'x', note: `${i}` }))
    const lead = await store(storedLead({ history }))
    const { body } = await patch(lead._id, { note: 'last' })
    expect(body.lead.history).toHaveLength(200)
    expect(body.lead.history?.[0]?.note).toBe('1')
    expect(body.lead.history?.at(-1)?.note).toBe('last')
  })

  it.each<[string, unknown, string[]]>([
    ['nothing', {}, ['']],
    ['nothing that it knows', { phone: '+911234567890', ownerId: 'x' }, ['']],
    ['a status that is none', { status: 'won' }, ['status']],
    ['a status of another type', { status: { $ne: 1 } }, ['status']],
    ['an empty note and nothing else', { note: '  ' }, ['']],
    ['a note of more than 4,000 characters', { note: 'x'.repeat(4_001) }, ['note']],
    ['a verdict that is none', { spam: 'no' }, ['spam']],
    ['several of them', { status: 'won', note: 7 }, ['status', 'note']],
    ['a list', [{ status: 'closed' }], ['']],
  ])('with %s is refused, and changes nothing', async (_, body, paths) => {
    const lead = await store(storedLead())
    const answer = await patch(lead._id, body)
    expect(answer.status).toBe(400)
    expect(answer.body.details?.map(({ path }) => path)).toEqual(paths)
    expect(await stored(lead)).toEqual(lead)
  })

  it('does not take fields that are not for it', async () => {
    const lead = await store(storedLead())
    await patch(lead._id, { status: 'closed', ownerId: 'me', history: [], phone: '1', 'metadata.x': 1 })
    const { status: _s, history: _h, updatedAt: _u, ...others } = (await stored(lead)) ?? lead
    expect(lead).toMatchObject(others)
  })
})

describe('a lead that is not the caller’s', () => {
  it('is one that is not there, to read and to change', async () => {
    const [owner, other] = [await createTestUser(), await createTestUser()]
    const lead = await store(
      storedLead({ ownerId: owner.user._id, spam: { score: 1, reasons: ['links'] }, microsite: 'a' }),
    )
    const { key } = await createApiKey(
      { scopes: ['leads:read', 'leads:write'], microsites: ['b'] },
      undefined,
      new Date(),
    )
    const { key: othersKey } = await createApiKey(
      { scopes: ['leads:read', 'leads:write'], microsites: ['a'] },
      other.user._id,
      new Date(),
    )
    const missing = await get(new ObjectId(), other.token)
    expect(missing.status).toBe(404)
    const { requestId: _, ...nothing } = missing.body as LeadAnswer & { requestId: string }
    for (const token of [other.token, key, othersKey]) {
      for (const answer of [
        await get(lead._id, token),
        await patch(lead._id, { status: 'closed' }, token),
        // A conflict would tell that it is there.
        await patch(lead._id, { spam: 'released' }, token),
      ]) {
        expect(answer.status).toBe(404)
        expect(answer.body).toMatchObject(nothing)
      }
    }
    expect(await stored(lead)).toEqual(lead)
    expect((await get(lead._id, owner.token)).status).toBe(200)
  })

  it.each(['x', '0', 'a'.repeat(12), 'z'.repeat(24), `${'0'.repeat(24)}0`, '[object%20Object]', '%24ne'])(
    'nor is there one with the id %s',
    async id => {
      await store(storedLead())
      expect((await get(id)).status).toBe(404)
      expect((await patch(id, { status: 'closed' })).status).toBe(404)
    },
  )

  it('is to nobody without credentials, or with a key that may not do it', async () => {
    const lead = await store(storedLead())
    const { key } = await createApiKey({ scopes: ['leads:read'] }, undefined, new Date())
    expect((await get(lead._id, key)).status).toBe(200)
    expect((await patch(lead._id, { status: 'closed' }, key)).status).toBe(403)
    expect((await get(lead._id, '')).status).toBe(401)
    expect((await patch(lead._id, { status: 'closed' }, '')).status).toBe(401)
    expect(await stored(lead)).toEqual(lead)
  })
})
