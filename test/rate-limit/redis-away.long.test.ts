import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { translateDatabaseError } from '../../lib/db/errors.js'
import { type Deployment, deploy } from '../db/deployment.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { type RedisServer, startRedisServer } from '../support/redis-server.js'
import { adminToken, call } from '../support/request.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { startUpstashRest, type UpstashRest } from '../support/upstash-rest.js'

/** Of the pipeline and of MongoDB, beside the time-out: machines are busy. */
const SLACK_MS = 2_000
const TIMEOUT_MS = 300
/** For a Redis that works, on a machine that is busy. */
const PATIENT = { RATE_LIMIT_TIMEOUT_MS: '5000' }

describe.runIf(inject('redisInstalled'))('a Redis that fails', () => {
  let redis: RedisServer
  let rest: UpstashRest
  let database: TcpProxy
  let deployment: Deployment | undefined

  beforeEach(async () => {
    await emptyDatabase()
    redis = await startRedisServer()
    rest = await startUpstashRest(redis)
    database = await startTcpProxy(testDatabase().uri)
    // In the middle of a window: none ends while a test counts.
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime((Math.floor(Date.now() / 60_000) + 1.5) * 60_000)
    vi.spyOn(console, 'error').mockImplementation(() => {})
  })

  afterEach(async () => {
    vi.useRealTimers()
    await database.restore()
    await deployment?.stop()
    await database.close()
    await rest.close()
    await redis.close()
  })

  /** An instance with 3 lists a minute, connected to its database. */
  async function start(settings: Record<string, string> = {}): Promise<Deployment> {
    deployment = await deploy({
      MONGO_URI: database.uri,
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: rest.token,
      RATE_LIMIT_TIMEOUT_MS: String(TIMEOUT_MS),
      RATE_LIMIT_SCALE: '0.01',
      LOG_LEVEL: 'error',
      ...settings,
    })
    await (await deployment.database()).command({ ping: 1 })
    return deployment
  }

  /** Counted against a closed policy: an open one lets pass what a busy machine counts too late. */
  function list({ leads }: Deployment) {
    return call(leads, 'GET', '/api/leads', { token: adminToken() })
  }

  function countsInDatabase(): Promise<number[]> {
    const counters = testDatabase().db.collection<{ _id: string; count: number }>('ratelimits')
    return counters
      .find()
      .map(({ count }) => count)
      .toArray()
  }

  it.each<[string, () => unknown]>([
    ['is gone', () => rest.close()],
    ['has lost what is behind it', () => redis.kill()],
    ['does not answer', () => rest.stall()],
    ['answers something else', () => rest.mumble()],
  ])(
    'that %s leaves the count to MongoDB within the time-out, and is left alone for a while',
    async (_, fail) => {
      const instance = await start()
      await fail()
      const startedAt = performance.now()

      const answers = await Promise.all(Array.from({ length: 10 }, () => list(instance)))

      expect(performance.now() - startedAt).toBeLessThan(TIMEOUT_MS + SLACK_MS)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(3)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(7)
      expect(answers.map(({ headers }) => headers.get('ratelimit-policy'))).toEqual(
        Array(10).fill('"read";q=3;w=60'),
      )
      expect(await countsInDatabase()).toEqual([10])

      const asked = rest.requests
      await list(instance)
      expect(rest.requests).toBe(asked)
      expect(console.error).toHaveBeenCalledTimes(1)
    },
  )

  it('that refuses the token leaves the count to MongoDB, and is in the log without what nobody should read', async () => {
    const instance = await start({ UPSTASH_REDIS_REST_TOKEN: 'a-wrong-token' })

    const { status, headers } = await list(instance)

    expect([status, headers.get('ratelimit')]).toEqual([200, expect.stringMatching(/^"read";r=2;/)])
    expect(await countsInDatabase()).toEqual([1])
    const logged = vi.mocked(console.error).mock.calls.flat().map(String)
    expect(logged).toEqual([expect.stringContaining('WRONGPASS')])
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({ error: 'RedisFailure', level: 'error' })
    expect(logged[0]).not.toMatch(/a-wrong-token|leadline:|evalsha/)
  })

  it('counts again when it is back', async () => {
    const instance = await start({ UPSTASH_REDIS_REST_TOKEN: 'a-wrong-token', ...PATIENT })
    await list(instance)
    rest.token = 'a-wrong-token'
    const later = performance.now() + 5_000
    vi.spyOn(performance, 'now').mockImplementation(() => later)

    await expect.poll(async () => (await list(instance)).status).toBe(200)
    expect(await countsInDatabase()).toEqual([1])
  })

  it('together with the database refuses what is closed and lets pass what is open', async () => {
    const { enforceLimit } = await start()
    const { default: login } = await import('../../api/auth/login.js')
    await rest.close()
    await database.refuse()
    const now = new Date()

    const refusal = await enforceLimit('login', 'a', now).catch(translateDatabaseError)
    expect(refusal).toMatchObject({ code: 'unavailable' })
    const body = { email: 'asha@example.com', password: 'a password of some length' }
    expect((await call(login, 'POST', '/api/auth/login', { body })).status).toBe(503)
    expect(await enforceLimit('capture', 'a', now)).toBeUndefined()
  })

  it('alone is no failure of the database: what is counted in Redis passes without it', async () => {
    const { enforceLimit } = await start(PATIENT)
    await database.refuse()

    expect(await enforceLimit('login', 'a', new Date())).toMatchObject({ remaining: 0 })
  })

  it.each(['csv', 'json', 'ndjson'])(
    'lets nobody begin a file (%s) that there is no database for',
    async format => {
      await start(PATIENT)
      const { default: file } = await import('../../api/leads/export.js')
      await database.refuse()

      const answer = await call(file, 'GET', `/api/leads/export?format=${format}`, { token: adminToken() })

      expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } })
      expect(answer.headers.get('retry-after')).toBe('5')
    },
  )
})
