import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import widgetConfigRoute from '../../api/widget-config/[projectId].js'
import { emptyDatabase } from '../support/database.js'
import { adminToken, call } from '../support/request.js'

// Three failed attempts a minute from one address.
process.env.RATE_LIMIT_SCALE = '0.1'
process.env.CRON_SECRET = 'cron-secret-of-the-tests'

const token = adminToken()
const list = (options: Parameters<typeof call>[3]) => call(leadsRoute, 'GET', '/api/leads', options)

beforeAll(() => emptyDatabase())

beforeEach(() => {
  // In the middle of the next minute, so that no window ends while a test counts and no counter has expired.
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime((Math.floor(Date.now() / 60_000) + 1.5) * 60_000)
  return () => vi.useRealTimers()
})

describe('a route for operators', () => {
  it('is open to the bootstrap token, however its scheme is written', async () => {
    for (const authorization of [`Bearer ${token}`, `bearer ${token}`, `BEARER   ${token}`])
      expect((await list({ headers: { authorization } })).status, authorization).toBe(200)
  })

  it.each([
    ['no header', {}],
    ['an empty one', { authorization: '' }],
    ['a scheme alone', { authorization: 'Bearer' }],
    ['a scheme and a blank', { authorization: 'Bearer ' }],
    ['the token alone', { authorization: token }],
    ['another scheme', { authorization: `Basic ${btoa(`admin:${token}`)}` }],
    ['the token in another scheme', { authorization: `Token ${token}` }],
    ['another token', { authorization: `Bearer ${'x'.repeat(64)}` }],
    ['the start of the token', { authorization: `Bearer ${token.slice(0, -1)}` }],
    ['more than the token', { authorization: `Bearer ${token}0` }],
    ['the token in another case', { authorization: `Bearer ${token.toUpperCase()}` }],
    ['two tokens', { authorization: `Bearer ${token} ${token}` }],
    ['two headers', { authorization: `Bearer ${token}, Bearer ${token}` }],
    ['a token in quotes', { authorization: `Bearer "${token}"` }],
    ['the word undefined', { authorization: 'Bearer undefined' }],
    ['a cookie', { cookie: `token=${token}` }],
    ['a key', { 'x-api-key': token }],
  ])('is closed to %s', async (name, headers) => {
    const refused = await list({
      headers: headers as Record<string, string>,
      ip: `test ${name}`,
      origin: 'https://a.example',
    })

    expect(refused).toMatchObject({
      status: 401,
      body: { success: false, code: 'unauthenticated', message: 'This needs valid credentials.' },
    })
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://a.example')
    expect(refused.text).not.toContain(token)
  })

  it('is closed to the token in the query', async () => {
    const path = `/api/leads?token=${token}&authorization=Bearer%20${token}`

    expect((await call(leadsRoute, 'GET', path, { ip: 'query' })).status).toBe(401)
  })

  it('is asked for credentials before it says what is wrong with the request', async () => {
    expect((await call(leadsRoute, 'GET', '/api/leads?limit=many', { ip: 'order' })).status).toBe(401)
    expect((await call(leadsRoute, 'GET', '/api/leads?limit=many', { token })).status).toBe(400)
  })
})

describe('a public route', () => {
  it.each(['Bearer widget-key-123', 'Bearer', 'Basic eDp5', 'nonsense', `Bearer ${'x'.repeat(4_000)}`])(
    'does not look at an Authorization header: %s',
    async authorization => {
      const headers = { authorization }
      const event = { type: 'chat_shown', projectId: 'p' }

      const answers = await Promise.all([
        call(widgetConfigRoute, 'GET', '/api/widget-config/p', { headers }),
        call(eventsRoute, 'POST', '/api/events', { headers, body: event }),
        call(leadsRoute, 'POST', '/api/leads', { headers, body: { microsite: 'm', phone: '9811100000' } }),
      ])

      expect(answers.map(answer => answer.status)).toEqual([200, 201, 201])
    },
  )
})

describe('failed attempts', () => {
  it('are bounded for an address, which still gets in with the right token', async () => {
    const guess = (ip: string) => list({ ip, token: 'wrong' })

    for (let attempt = 0; attempt < 3; attempt++) expect((await guess('203.0.113.50')).status).toBe(401)
    const refused = await guess('203.0.113.50')

    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'retry-after': '30',
      'ratelimit-policy': '"authentication-failure";q=3;w=60',
      ratelimit: '"authentication-failure";r=0;t=30',
    })
    expect((await list({ ip: '203.0.113.50', token })).status).toBe(200)
    expect((await guess('203.0.113.51')).status).toBe(401)
  })

  it('are bounded for an IPv6 network as for one client', async () => {
    const statuses: number[] = []
    for (const host of [1, 2, 3, 4])
      statuses.push((await list({ ip: `2001:db8:7:7::${host}`, token: 'wrong' })).status)

    expect(statuses).toEqual([401, 401, 401, 429])
  })

  it('are counted together over every route', async () => {
    const ask = (route: typeof leadsRoute, path: string) => call(route, 'GET', path, { ip: '203.0.113.52' })

    for (let attempt = 0; attempt < 3; attempt++)
      expect((await ask(leadsRoute, '/api/leads')).status).toBe(401)
    const { default: cronRoute } = await import('../../api/cron/maintain.js')
    expect((await ask(cronRoute, '/api/cron/maintain')).status).toBe(429)
  })
})
