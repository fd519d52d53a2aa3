import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import exportRoute from '../../api/leads/export.js'
import leadsRoute from '../../api/leads/index.js'
import type { LeadPage } from '../../lib/domain/leads/lead-list.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { listenToCommands, type SentCommand } from '../support/fixtures/commands.js'
import { manyLeads, storedLead } from '../support/fixtures/leads.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

function request(query: Record<string, string> = {}, { token = adminToken(), method = 'GET' } = {}) {
  return exportRoute.fetch(
    new Request(`https://leadline.example/api/leads/export?${new URLSearchParams(query)}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'x-real-ip': '203.0.113.7' },
    }),
  )
}

const namesIn = async (response: Response) =>
  (await response.text())
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as Wire<Lead>).name)

async function store(...documents: Lead[]) {
  const all = testDatabase().db.collection<Lead>(leads.name)
  for (let i = 0; i < documents.length; i += 1_000) await all.insertMany(documents.slice(i, i + 1_000))
}

const at = (day: number) => ({ createdAt: new Date(Date.UTC(2026, 2, day)) })

beforeEach(emptyDatabase)

describe('an export of leads', () => {
  it('is a CSV unless asked otherwise, of what a spreadsheet can show', async () => {
    await store(
      storedLead({
        name: '=cmd|calc',
        phone: '+919876501234',
        metadata: {},
        conversation: [{ type: 'user', text: 'hi' }],
        history: [
          { at: new Date(), by: 'x', note: 'called, "busy"\nagain' },
          { at: new Date(), by: 'x', status: 'contacted' },
        ],
        submissions: 3,
        ...at(2),
      }),
    )
    const response = await request()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="leads.csv"')
    expect(response.headers.get('cache-control')).toBe('no-store')
    const text = Buffer.from(await response.arrayBuffer()).toString('utf8')
    expect(text.replace(/\r\n[0-9a-f]{24},/, '\r\n<id>,')).toBe(
      '\uFEFFid,createdAt,name,phone,bhkType,microsite,projectId,status,source,messages,submissions,duplicateOf,' +
        'spam,lastNote\r\n' +
        `<id>,2026-03-02T00:00:00.000Z,'=cmd|calc,+919876501234,2 BHK,nivasa-enchante,nivasa-enchante,new,` +
        'ChatWidget,1,3,,,"called, ""busy""\nagain"\r\n',
    )
  })

  it('holds as JSON what the list shows, in its order', async () => {
    await store(...Array.from({ length: 5 }, (_, i) => storedLead(at(1 + i))), storedLead(at(3)))
    const list = await call<Wire<LeadPage>>(leadsRoute, 'GET', '/api/leads', { token: adminToken() })
    const json = await request({ format: 'json' })
    expect(json.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await json.json()).toEqual(list.body.items)
    const lines = (await (await request({ format: 'ndjson' })).text()).trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toEqual(list.body.items)
  })

  it.each<[Record<string, string>, string[]]>([
    [{}, ['d', 'c', 'b', 'a']],
    [{ limit: '1', skip: '1', cursor: 'x' }, ['d', 'c', 'b', 'a']],
    [{ microsite: 'lake' }, ['b']],
    [{ status: 'closed' }, ['c']],
    [{ bhkType: 'Duplex' }, ['d']],
    [{ startDate: '2026-03-02', endDate: '2026-03-03' }, ['c', 'b']],
    [{ search: 'lake' }, ['b']],
    [{ spam: 'only' }, ['e']],
    [{ spam: 'all', startDate: '2026-03-04' }, ['e', 'd']],
  ])('with %j holds %j', async (query, names) => {
    await store(
      storedLead({ name: 'a', ...at(1) }),
      storedLead({ name: 'b', microsite: 'lake', ...at(2) }),
      storedLead({ name: 'c', status: 'closed', ...at(3) }),
      storedLead({ name: 'd', bhkType: 'Duplex', ...at(4) }),
      storedLead({ name: 'e', spam: { score: 1, reasons: ['links'] }, ...at(5) }),
    )
    expect(await namesIn(await request({ ...query, format: 'ndjson' }))).toEqual(names)
  })

  it('holds what its caller may see', async () => {
    const [owner, other] = [await createTestUser(), await createTestUser()]
    await store(
      storedLead({ name: 'own', ownerId: owner.user._id, ...at(1) }),
      storedLead({ name: 'other', ownerId: other.user._id, ...at(2) }),
      storedLead({ name: 'nobody', ...at(3) }),
    )
    expect(await namesIn(await request({ format: 'ndjson' }, owner))).toEqual(['own'])
    expect((await request({}, { token: '' })).status).toBe(401)
  })

  it.each([
    ['format', 'xlsx'],
    ['status', 'won'],
    ['search', 'ab'],
  ])('with %s=%s is refused by name', async (name, value) => {
    const response = await request({ [name]: value })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ details: [{ path: `query.${name}` }] })
  })
})

describe('how an export is read', () => {
  let sent: SentCommand[]
  const asked = (name: string) =>
    sent.filter(command => command.name === name && command.collection === leads.name)
  const fetched = () =>
    sent.reduce((sum, { collection, reply }) => {
      const cursor = collection === leads.name ? reply?.cursor : undefined
      return sum + (cursor?.firstBatch ?? cursor?.nextBatch ?? []).length
    }, 0)
  const BATCH = 500

  beforeAll(async () => {
    sent = await listenToCommands()
  })
  beforeEach(() => {
    sent.length = 0
  })

  const storeMany = (count: number) => store(...manyLeads(count, i => ({ name: `lead ${i}` })))

  it('is as fast as its reader: of 20,000 leads never more than a batch is ahead', async () => {
    await storeMany(20_000)
    const response = await request({ format: 'ndjson' })
    const reader = response.body?.getReader()
    // To know that it can be read at all.
    expect(fetched()).toBe(BATCH)

    let read = 0
    let furthestAhead = 0
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      read++
      furthestAhead = Math.max(furthestAhead, fetched() - read)
      // A reader that stops for a while is not read ahead for.
      if (read % 5_000 === 0) {
        const before = fetched()
        await new Promise(resolve => setTimeout(resolve, 20))
        expect(fetched()).toBe(before)
      }
    }
    expect(read).toBe(20_000)
    expect(fetched()).toBe(20_000)
    expect(furthestAhead).toBeLessThan(BATCH)
  }, 120_000)

  it('ends with its reader: the cursor is closed and nothing more is read', async () => {
    await storeMany(2_000)
    const response = await request({ format: 'csv' })
    const reader = response.body?.getReader()
    for (let i = 0; i < 10; i++) await reader?.read()
    expect(fetched()).toBe(BATCH)
    await reader?.cancel()

    await expect.poll(() => asked('killCursors').length).toBe(1)
    expect(asked('getMore')).toEqual([])
    expect(fetched()).toBe(BATCH)
  })

  it('is not begun where only its headers were asked for', async () => {
    await storeMany(1)
    const response = await request({}, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(await response.text()).toBe('')
    expect(asked('find')).toEqual([])
  })
})
