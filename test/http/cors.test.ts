import { ObjectId } from 'mongodb'
import { beforeAll, describe, expect, it } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import widgetConfigRoute from '../../api/widget-config/[projectId].js'
import { WidgetConfig } from '../../lib/domain/widgets/widget-configs.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { adminToken, call } from '../support/request.js'

process.env.APP_ORIGINS = 'https://console.example'

const domainsOf: Record<string, string[]> = {
  open: [],
  listed: ['nivasa.example', 'xn--l2b0ajxd.example', 'shop.nivasa.example'],
  sibling: ['sarovar.example'],
}

beforeAll(async () => {
  await emptyDatabase()
  const configs = Object.entries(domainsOf).map(([projectId, domains]) =>
    WidgetConfig.parse({
      _id: new ObjectId(),
      projectId,
      domains,
      revision: 1,
      createdAt: new Date(),
      updatedAt: new Date(),
    }),
  )
  await testDatabase().db.collection('widgetconfigs').insertMany(configs)
})

/** Every public route that names a project, asked for this one by a page of this origin. */
function askAll(projectId: string, origin: string | undefined) {
  const from = origin === undefined ? {} : { origin }
  const conversation = [{ id: new ObjectId().toHexString(), type: 'user', text: 'Hello', timestamp: 1 }]
  return Promise.all([
    call(widgetConfigRoute, 'GET', `/api/widget-config/${projectId}`, from),
    call(widgetConfigRoute, 'POST', `/api/widget-config/${projectId}`, {
      ...from,
      body: { propertyInfo: {} },
    }),
    call(eventsRoute, 'POST', '/api/events', { ...from, body: { type: 'chat_shown', projectId } }),
    call(eventsRoute, 'POST', '/api/events', {
      ...from,
      body: [
        { type: 'chat_shown', projectId: 'open' },
        { type: 'chat_shown', projectId },
      ],
    }),
    call(leadsRoute, 'POST', '/api/leads', {
      ...from,
      body: { microsite: 'm', metadata: { projectId }, conversation },
    }),
    call(leadsRoute, 'POST', '/api/leads', { ...from, body: { microsite: projectId, conversation } }),
  ])
}

const ALLOWED = [200, 200, 201, 201, 201, 201]
const REFUSED = [403, 403, 403, 403, 403, 403]

async function statuses(projectId: string, origin: string | undefined): Promise<number[]> {
  return (await askAll(projectId, origin)).map(answer => answer.status)
}

describe('a project that lists domains', () => {
  it.each([
    ['its page', 'https://nivasa.example'],
    ['another of its pages', 'https://shop.nivasa.example'],
    ['its page under www.', 'https://www.nivasa.example'],
    ['without TLS', 'http://nivasa.example'],
    ['on a port', 'https://nivasa.example:8443'],
    ['in another case', 'https://Nivasa.EXAMPLE'],
    ['fully qualified', 'https://nivasa.example.'],
    ['an international name as browsers send it', 'https://xn--l2b0ajxd.example'],
    ['a page of ours', 'https://console.example'],
  ])('is used by %s', async (_, origin) => {
    const answers = await askAll('listed', origin)

    expect(answers.map(answer => answer.status)).toEqual(ALLOWED)
    for (const { headers } of answers) expect(headers.get('access-control-allow-origin')).toBe(origin)
  })

  it('is used by what is no page: a server, an app, curl', async () => {
    expect(await statuses('listed', undefined)).toEqual(ALLOWED)
  })

  it.each([
    ['another site', 'https://sarovar.example'],
    ['a name that ends like its own', 'https://notnivasa.example'],
    ['a name that starts like its own', 'https://nivasa.example.evil.example'],
    ['a page below its own', 'https://blog.nivasa.example'],
    ['its name as credentials', 'https://nivasa.example@evil.example'],
    ['a sandboxed frame or a local file', 'null'],
    ['what is no origin', 'nonsense'],
    ['our page on another port', 'https://console.example:8443'],
  ])('is not used by %s, which may not read the refusal', async (_, origin) => {
    const answers = await askAll('listed', origin)

    expect(answers.map(answer => answer.status)).toEqual(REFUSED)
    for (const { headers, body } of answers) {
      expect(body).toMatchObject({ success: false, code: 'forbidden' })
      expect(headers.get('access-control-allow-origin')).toBeNull()
      expect(headers.get('access-control-allow-credentials')).toBeNull()
      expect(headers.get('vary')).toBe('Origin')
    }
  })

  it('stores nothing of a page that may not use it', async () => {
    const { db } = testDatabase()
    const stored = () =>
      Promise.all(['leads', 'chatsessions', 'events'].map(name => db.collection(name).countDocuments()))
    const before = await stored()

    await askAll('listed', 'https://evil.example')

    expect(await stored()).toEqual(before)
  })

  it('is used by a batch only where every project of the batch is', async () => {
    const batch = (origin: string) =>
      call(eventsRoute, 'POST', '/api/events', {
        origin,
        body: ['listed', 'sibling', 'unknown'].map(projectId => ({ type: 'chat_shown', projectId })),
      })

    expect((await batch('https://nivasa.example')).status).toBe(403)
    expect((await batch('https://console.example')).status).toBe(201)
  })
})

describe('a project that lists none', () => {
  it.each(['https://anywhere.example', 'http://localhost:5173', 'null', 'https://xn--l2b0ajxd.example'])(
    'is used by any page, which gets its own origin and never *: %s',
    async origin => {
      for (const projectId of ['open', 'unknown-to-us']) {
        const answers = await askAll(projectId, origin)
        expect(answers.map(answer => answer.status)).toEqual(ALLOWED)
        for (const { headers } of answers) {
          expect(headers.get('access-control-allow-origin')).toBe(origin)
          expect(headers.get('access-control-allow-credentials')).toBe('true')
          expect(headers.get('vary')).toBe('Origin')
        }
      }
    },
  )

  it('says nothing of origins to what is no page, but varies by them for caches', async () => {
    for (const { headers } of await askAll('open', undefined)) {
      expect([...headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([])
      expect(headers.get('vary')).toBe('Origin')
    }
  })
})

describe('a page', () => {
  it('may read what it needs of the headers', async () => {
    const [answer] = await askAll('open', 'https://site.example')

    const exposed = answer?.headers.get('access-control-expose-headers')?.toLowerCase().split(', ')
    expect(exposed).toEqual(
      expect.arrayContaining(['etag', 'ratelimit', 'ratelimit-policy', 'retry-after', 'x-request-id']),
    )
  })

  it('may read the answer of a route for operators, refused or not', async () => {
    const origin = 'https://dashboard.example'
    const refused = await call(leadsRoute, 'GET', '/api/leads', { origin })
    const listed = await call(leadsRoute, 'GET', '/api/leads', { origin, token: adminToken() })

    expect([refused.status, listed.status]).toEqual([401, 200])
    for (const { headers } of [refused, listed])
      expect(headers.get('access-control-allow-origin')).toBe(origin)
  })
})
