import { beforeEach, describe, expect, it, vi } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { enforceLimit, RateLimited } from '../../lib/rate-limit/enforce.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { adminToken, type CallOptions, call } from '../support/request.js'

// 6 for `config` and `events`, 1 (of 0.6) for `capture`, 3 for `read`.
process.env.RATE_LIMIT_SCALE = '0.01'

const WINDOW_MS = 60_000
// The start of a window in the near future: its counters are not yet expired.
const start = (Math.floor(Date.now() / WINDOW_MS) + 2) * WINDOW_MS

beforeEach(() => emptyDatabase())

/** What a limit says to a request that came so many milliseconds after the start of the window. */
async function hit(afterMs: number, key = 'a', policy: 'read' | 'config' = 'read') {
  try {
    return await enforceLimit(policy, key, new Date(start + afterMs))
  } catch (error) {
    if (error instanceof RateLimited) return error
    throw error
  }
}

describe('a window', () => {
  it('counts down, then refuses until it ends', async () => {
    expect(await hit(0)).toEqual({
      policy: 'read',
      limit: 3,
      windowSeconds: 60,
      remaining: 2,
      resetSeconds: 60,
    })
    expect(await hit(1)).toMatchObject({ remaining: 1, resetSeconds: 60 })
    expect(await hit(30_000)).toMatchObject({ remaining: 0, resetSeconds: 30 })

    const refused = await hit(58_600)
    expect(refused).toBeInstanceOf(RateLimited)
    expect(refused).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 2, limit: { remaining: 0 } })
    expect(await hit(59_999)).toMatchObject({ retryAfterSeconds: 1 })
    expect(await hit(WINDOW_MS)).toMatchObject({ remaining: 2 })
  })

  it('counts a hit as many as it weighs', async () => {
    const weigh = (weight: number) => enforceLimit('config', 'a', new Date(start), undefined, weight)

    expect(await weigh(4)).toMatchObject({ remaining: 2 })
    expect(await weigh(2)).toMatchObject({ remaining: 0 })
    await expect(weigh(1)).rejects.toBeInstanceOf(RateLimited)
  })

  it('is one for each key and each policy', async () => {
    for (const key of ['a', 'b', '']) expect(await hit(0, key)).toMatchObject({ remaining: 2 })
    expect(await hit(0, 'a', 'config')).toMatchObject({ policy: 'config', remaining: 5 })
    expect(await hit(0, 'a')).toMatchObject({ remaining: 1 })
  })

  it('is stored under nobody’s name until it ends', async () => {
    await hit(0, '203.0.113.7')

    const stored = await testDatabase().db.collection('ratelimits').find().toArray()
    expect(stored).toEqual([
      { _id: expect.stringMatching(/^[\w-]{43}$/), count: 1, expiresAt: new Date(start + WINDOW_MS) },
    ])
  })
})

describe('a client', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(start + 20_500)
    return () => vi.useRealTimers()
  })

  // An answer that no cache keeps: one that is kept for others says nothing of this client's limit.
  const responses = { 200: { description: 'The thing' } }
  const thing = serve('/api/thing', {
    GET: route({ summary: 'A thing', access: 'public', limit: 'config', responses }, () => ok({})),
  })

  function configFor(options: CallOptions) {
    return call(thing, 'GET', '/api/thing', options)
  }

  /** How many of a limit of 6 are left to these clients together, by what the last of them is told. */
  async function leftAfter(clients: CallOptions[]): Promise<string | null> {
    let left: string | null = null
    for (const options of clients) left = (await configFor(options)).headers.get('ratelimit')
    return left
  }

  it('is told its limit on every counted answer', async () => {
    const ip = '203.0.113.1'
    const first = await configFor({ ip })
    for (let i = 0; i < 5; i++) await configFor({ ip })
    const refused = await configFor({ ip, origin: 'https://site.example' })

    expect(first.headers.get('ratelimit-policy')).toBe('"config";q=6;w=60')
    expect(first.headers.get('ratelimit')).toBe('"config";r=5;t=40')
    expect(first.headers.get('retry-after')).toBeNull()
    expect(refused).toMatchObject({ status: 429, body: { success: false, code: 'rate_limited' } })
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'ratelimit-policy': '"config";q=6;w=60',
      ratelimit: '"config";r=0;t=40',
      'retry-after': '40',
      'access-control-allow-origin': 'https://site.example',
      'cache-control': 'no-store',
    })
  })

  it('is told so with an error too, and is not counted for a preflight or a wrong method', async () => {
    const ip = '203.0.113.2'
    const bad = await call(leadsRoute, 'GET', '/api/leads?limit=x', { token: adminToken() })
    expect([bad.status, bad.headers.get('ratelimit')]).toEqual([400, '"read";r=2;t=40'])

    for (const method of ['OPTIONS', 'DELETE']) {
      const { headers } = await call(thing, method, '/api/thing', { ip })
      expect(headers.get('ratelimit')).toBeNull()
    }
    expect(await leftAfter([{ ip }])).toBe('"config";r=5;t=40')
  })

  it('is an IPv4 address, also where it is written as IPv6', async () => {
    expect(await leftAfter([{ ip: '203.0.113.3' }, { ip: '::ffff:203.0.113.3' }])).toContain('r=4')
    expect(await leftAfter([{ ip: '203.0.113.4' }])).toContain('r=5')
  })

  it('is a /64 network of IPv6 addresses', async () => {
    const network = [{ ip: '2001:db8:1:2::1' }, { ip: '2001:db8:1:2:ffff::9' }, { ip: '2001:DB8:1:2::' }]

    expect(await leftAfter(network)).toContain('r=3')
    expect(await leftAfter([{ ip: '2001:db8:1:3::1' }])).toContain('r=5')
  })

  it('is not who it says it is', async () => {
    const claims = ['x-forwarded-for', 'forwarded', 'x-client-ip', 'cf-connecting-ip'].map((name, i) => ({
      ip: '203.0.113.5',
      headers: { [name]: `198.51.100.${i}` },
    }))

    expect(await leftAfter(claims)).toContain('r=2')
  })

  it('is who it is by its credentials where it has some, wherever it comes from', async () => {
    const list = (ip: string) => call(leadsRoute, 'GET', '/api/leads', { ip, token: adminToken() })

    for (let i = 0; i < 3; i++) expect((await list(`203.0.113.${10 + i}`)).status).toBe(200)
    expect((await list('203.0.113.13')).status).toBe(429)
  })

  it('has at least one request, however small the scale', async () => {
    const capture = () =>
      call(leadsRoute, 'POST', '/api/leads', {
        ip: '203.0.113.6',
        body: { microsite: 'm', phone: '9811100000' },
      })

    expect((await capture()).status).toBe(201)
    expect((await capture()).status).toBe(429)
  })

  it('has as many events, in batches or not', async () => {
    const record = (count: number) => {
      const batch = Array.from({ length: count }, () => ({ type: 'chat_shown', projectId: 'p' }))
      const [first] = batch
      const body = count === 1 ? first : batch
      return call(eventsRoute, 'POST', '/api/events', { ip: '203.0.113.9', body })
    }

    const recorded = [await record(1), await record(4), await record(1)]
    expect(recorded.map(({ status, headers }) => [status, headers.get('ratelimit')])).toEqual([
      [201, '"events";r=5;t=40'],
      [201, '"events";r=1;t=40'],
      [201, '"events";r=0;t=40'],
    ])
    expect((await record(1)).status).toBe(429)
    vi.setSystemTime(Date.now() + WINDOW_MS)
    expect((await record(2)).status).toBe(201)
    const refused = await record(5)
    expect([refused.status, refused.headers.get('ratelimit')]).toEqual([429, '"events";r=0;t=40'])

    expect(await testDatabase().db.collection('events').countDocuments()).toBe(8)
  })

  it('stores nothing over the limit', async () => {
    const capture = (phone: string) =>
      call(leadsRoute, 'POST', '/api/leads', { ip: '203.0.113.8', body: { microsite: 'm', phone } })

    for (const phone of ['9811100001', '9811100002', '9811100003']) await capture(phone)

    expect(await testDatabase().db.collection('leads').countDocuments()).toBe(1)
  })
})
