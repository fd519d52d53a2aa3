import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import configRoute from '../../api/widget-config/[projectId].js'
import { chatSessions } from '../../lib/domain/chat-sessions.js'
import { type Lead, leads } from '../../lib/domain/leads.js'
import { widgetConfigs } from '../../lib/domain/widget-configs.js'
import { emptyDatabase } from '../support/database.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { call, type Fetchable } from '../support/request.js'

/** What a generation of the widget sent in a browser, and the answer that it was made for. */
interface Exchange {
  method: string
  path: string
  headers: Record<string, string>
  body?: string
  expects: { status: number; headers: string[]; shape?: Shape }
}

/** The name of a type, the shape of an array's elements (none: any), or a shape for each field. */
type Shape = string | Shape[] | { [field: string]: Shape }

const read = (name: string): Exchange[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8')).exchanges

const routes: [string, Fetchable][] = [
  ['/api/widget-config/', configRoute],
  ['/api/events', eventsRoute],
  ['/api/leads', leadsRoute],
]

async function send({ method, path, headers, body }: Exchange) {
  const route = routes.find(([prefix]) => path.startsWith(prefix))?.[1]
  if (!route) throw new Error(`no route serves ${path}`)
  return call(route, method, path, { headers, body })
}

/** Where a value is not of a shape; more fields than the shape names are fine. */
function misfits(value: unknown, shape: Shape, path = ''): string[] {
  if (typeof shape === 'string') return typeof value === shape ? [] : [`${path} is no ${shape}`]
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${path} is no array`]
    const [element] = shape
    return element === undefined ? [] : value.flatMap((item, i) => misfits(item, element, `${path}.${i}`))
  }
  if (typeof value !== 'object' || value === null) return [`${path} is no object`]
  const fields = new Map<string, unknown>(Object.entries(value))
  return Object.entries(shape).flatMap(([field, inner]) =>
    misfits(fields.get(field), inner, `${path}.${field}`),
  )
}

beforeEach(async () => {
  await emptyDatabase()
  const pricing = [
    { configuration: '2 BHK', price: '₹ 85 L' },
    { configuration: '3 BHK', price: '₹ 1.2 Cr' },
  ]
  const propertyInfo = { projectName: 'Nivasa Enchante', availableBhk: ['2 BHK', '3 BHK'], pricing }
  const domains = ['nivasa-enchante.example']
  await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ propertyInfo, domains }))
})

describe.each([
  ['widget A', read('widget-a.json'), 'Test Visitor'],
  ['widget B', read('widget-b.json'), undefined],
])('%s', (_, exchanges, name) => {
  it('gets the answers that it was made for', async () => {
    for (const exchange of exchanges) {
      const { status, headers, body } = await send(exchange)
      const label = `${exchange.method} ${exchange.path} ${exchange.body ?? ''}`

      expect(status, label).toBe(exchange.expects.status)
      // The old framework tagged every answer; a tag is of use only where the answer may be cached.
      const promised = exchange.expects.headers.filter(header => header !== 'etag')
      expect([...headers.keys()], label).toEqual(expect.arrayContaining(promised))
      // A beacon carries credentials, for which the Fetch standard takes nothing but the page's own origin.
      expect(headers.get('access-control-allow-origin'), label).toBe(exchange.headers.origin)
      expect(headers.get('access-control-allow-credentials'), label).toBe('true')
      const asked = exchange.headers['access-control-request-headers']
      if (asked) expect(headers.get('access-control-allow-headers'), label).toContain(asked)
      if (exchange.expects.shape) expect(misfits(body, exchange.expects.shape), label).toEqual([])
    }
  })

  it('leaves one lead with its chat, also when the page sends everything twice', async () => {
    for (const exchange of [...exchanges, ...exchanges]) await send(exchange)

    const sent = JSON.parse(exchanges.find(({ path, body }) => path === '/api/leads' && body)?.body ?? '')
    const stored = await (await leads.open()).find().toArray()
    const expected: Partial<Lead> = {
      phone: '+919876501234',
      bhkType: '1 BHK',
      bhk: 1,
      microsite: 'nivasa-enchante',
      projectId: 'nivasa-enchante',
      metadata: sent.metadata,
      conversation: sent.conversation,
    }
    expect(stored).toEqual([expect.objectContaining(expected)])
    expect(stored[0]?.name).toBe(name)
    expect(await (await chatSessions.open()).countDocuments({ leadId: stored[0]?._id })).toBe(1)
  })
})
