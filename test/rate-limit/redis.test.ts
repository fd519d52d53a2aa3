import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import healthRoute from '../../api/health.js'
import leadsRoute from '../../api/leads/index.js'
import { enforceLimit } from '../../lib/rate-limit/enforce.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { type RedisServer, startRedisServer } from '../support/redis-server.js'
import { adminToken, call } from '../support/request.js'
import { startUpstashRest, type UpstashRest } from '../support/upstash-rest.js'
import { hitLimit, type Order } from './hit-limit.js'
import { startHittingProcess } from './hitting-process.js'

const WINDOW_MS = 60_000
/** In the middle of a window, and of the hour. */
const now = (Math.floor(Date.now() / 3_600_000) + 0.5) * 3_600_000 + 20_500

describe.runIf(inject('redisInstalled'))('limits in Redis', () => {
  let redis: RedisServer
  let rest: UpstashRest

  beforeAll(async () => {
    redis = await startRedisServer()
    rest = await startUpstashRest(redis)
    Object.assign(process.env, {
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: rest.token,
      // What is tested here is the count: a machine that is busy must not have MongoDB count it.
      RATE_LIMIT_TIMEOUT_MS: '5000',
      // 12 for `read`, 5 for `health`, 1 for `register`.
      RATE_LIMIT_SCALE: '0.04',
    })
  })

  afterAll(async () => {
    await rest.close()
    await redis.close()
  })

  beforeEach(async () => {
    await redis.client.sendCommand(['FLUSHALL'])
    await emptyDatabase()
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(now)
  })

  afterEach(async () => {
    vi.useRealTimers()
    expect(await testDatabase().db.collection('ratelimits').find().toArray()).toEqual([])
  })

  it('count down, are told to the client and refuse until the window ends', async () => {
    const get = () => call(healthRoute, 'GET', '/api/health?probe=live', { ip: '203.0.113.1' })
    const first = await get()
    for (let i = 1; i < 5; i++) expect((await get()).status).toBe(200)
    const refused = await get()

    expect(first.headers.get('ratelimit-policy')).toBe('"health";q=5;w=60')
    expect(first.headers.get('ratelimit')).toBe('"health";r=4;t=40')
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      'ratelimit-policy': '"health";q=5;w=60',
      ratelimit: '"health";r=0;t=40',
      'retry-after': '40',
    })

    const asked = rest.requests
    expect((await get()).headers.get('retry-after')).toBe('40')
    expect(rest.requests, 'what is used up is refused from memory').toBe(asked)
    vi.setSystemTime(now + WINDOW_MS)
    expect((await get()).headers.get('ratelimit')).toBe('"health";r=4;t=40')
  })

  it('are counted by policy and by key: an address, or who authenticates', async () => {
    const list = (ip: string) => call(leadsRoute, 'GET', '/api/leads', { ip, token: adminToken() })
    await list('203.0.113.2')

    expect((await list('203.0.113.3')).headers.get('ratelimit')).toBe('"read";r=10;t=40')
    const ofAnother = await enforceLimit('read', 'another', new Date(now))
    const ofAnotherPolicy = await enforceLimit('config', 'another', new Date(now))
    expect([ofAnother?.remaining, ofAnotherPolicy?.remaining]).toEqual([11, 23])
  })

  it('count a hit as many as it weighs', async () => {
    const weigh = (weight: number) => enforceLimit('read', 'heavy', new Date(now), undefined, weight)

    expect(await weigh(5)).toMatchObject({ remaining: 7 })
    expect(await weigh(7)).toMatchObject({ remaining: 0 })
    await expect(weigh(2)).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 40 })
  })

  it('are stored under nobody’s name until the window ends', async () => {
    await enforceLimit('read', '203.0.113.7', new Date(now))

    const keys = (await redis.client.sendCommand(['KEYS', '*'])) as string[]
    expect(keys).toEqual([expect.stringMatching(/^leadline:preview:read:[\w-]{43}:\d+$/)])
    expect(await redis.client.sendCommand(['PTTL', keys[0] ?? ''])).toSatisfy(
      ttl => ttl > 0 && ttl <= WINDOW_MS,
    )
  })

  it('go on where the server has lost its scripts', async () => {
    await enforceLimit('read', 'a', new Date(now))
    await redis.client.sendCommand(['SCRIPT', 'FLUSH'])

    expect(await enforceLimit('read', 'a', new Date(now))).toMatchObject({ remaining: 10 })
  })

  it('admit exactly that many of ten times as many at once', async () => {
    const order: Order = { policy: 'read', key: 'one process', now, times: 120 }

    expect(await hitLimit(order)).toEqual({ admitted: 12, refused: 108 })
  })

  it('admit exactly that many over two processes', async () => {
    const [first, second] = await Promise.all([startHittingProcess(), startHittingProcess()])
    const order: Order = { policy: 'read', key: 'two processes', now, times: 60 }

    const outcomes = await Promise.all([first(order), second(order)])

    expect(outcomes.map(({ admitted, refused }) => admitted + refused)).toEqual([60, 60])
    expect(outcomes.reduce((sum, { admitted }) => sum + admitted, 0)).toBe(12)
  })
})
