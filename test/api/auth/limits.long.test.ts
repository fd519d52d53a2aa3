import bcrypt from 'bcryptjs'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { emptyDatabase } from '../../support/database.js'
import { trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { createTestUser, TEST_PASSWORD } from '../../support/users.js'
import { type AuthApi, type AuthPost, deployAuth, mailsTo } from './auth-api.js'

const HOUR_MS = 60 * 60 * 1000

trackBackgroundTasks()
beforeEach(async () => {
  await emptyDatabase()
  // In the middle of the next hour, so that no window ends while a test counts and no counter has expired.
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime((Math.floor(Date.now() / HOUR_MS) + 1.5) * HOUR_MS)
  return () => vi.useRealTimers()
})

/** The deployment as it is in production. */
const deploy = () => deployAuth({ RATE_LIMIT_SCALE: '1' })

describe('the limits of an address', () => {
  it.each<[AuthPost, number, (i: number) => object]>([
    ['auth/login', 60, i => ({ email: `user-${i}@example.com`, password: 'wrong password' })],
    ['users/auth', 60, i => ({ username: `user-${i}@example.com`, password: 'wrong password' })],
    ['auth/register', 20, i => ({ email: `user-${i}@example.com`, password: 'a good password' })],
    ['auth/signup', 20, i => ({ email: `user-${i}@example.com`, password: 'a good password' })],
    ['auth/forgot-password', 20, i => ({ email: `user-${i}@example.com` })],
    ['auth/resend-verification', 20, i => ({ email: `user-${i}@example.com` })],
    ['auth/refresh', 60, () => ({ refreshToken: 'x' })],
    ['auth/verify-email', 60, i => ({ token: `guess ${i}` })],
    ['auth/reset-password', 60, i => ({ token: `guess ${i}`, password: 'a good password' })],
  ])('of %s are %i tries, whatever is tried', async (route, limit, bodyOf) => {
    const api = await deploy()
    const tries = await Promise.all(Array.from({ length: limit }, (_, i) => api.post(route, bodyOf(i))))
    const statuses = tries.map(({ status }) => status)
    expect(statuses.filter(status => status === 429 || status >= 500)).toEqual([])

    const refused = await api.post(route, bodyOf(limit))
    expect(refused).toMatchObject({ status: 429, body: { success: false, code: 'rate_limited' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(refused.headers.get('ratelimit')).toMatch(/;r=0;t=\d+$/)
    expect((await api.post(route, bodyOf(limit), { ip: '203.0.113.99' })).status).toBe(statuses[0])
  })

  it('hold for both names of signing up together, and of asking for a mail', async () => {
    const api = await deploy()
    const sign = (route: AuthPost, i: number) =>
      api.post(route, { email: `user-${i}@example.com`, password: 'a good password' })
    for (let i = 0; i < 10; i++) await Promise.all([sign('auth/register', i), sign('auth/signup', 100 + i)])

    expect((await sign('auth/register', 200)).status).toBe(429)
    expect((await sign('auth/signup', 201)).status).toBe(429)
  })

  it('are those of a network where the address is of IPv6', async () => {
    const api = await deploy()
    const ask = (i: number) =>
      api.post('auth/forgot-password', { email: `user-${i}@example.com` }, { ip: `2001:db8:9:9::${i}` })
    for (let i = 0; i < 20; i++) expect((await ask(i)).status).toBe(200)

    expect((await ask(20)).status).toBe(429)
  })
})

describe('the mails of an address', () => {
  it.each(['auth/forgot-password', 'auth/resend-verification'] as const)(
    'are five an hour, whoever asks, and more are not sent silently: %s',
    async route => {
      const api = await deploy()
      const { user } = await createTestUser()
      const answers: string[] = []
      for (let i = 0; i < 8; i++) {
        const { status, text } = await api.post(route, { email: user.email }, { ip: `198.51.100.${i}` })
        expect(status).toBe(200)
        answers.push(text)
        expect(await mailsTo(user.email)).toHaveLength(Math.min(i + 1, 5))
      }
      expect(new Set(answers).size).toBe(1)

      const ravi = await createTestUser()
      await api.post(route, { email: ravi.user.email })
      expect(await mailsTo(ravi.user.email)).toHaveLength(1)
      vi.setSystemTime(Date.now() + HOUR_MS)
      await api.post(route, { email: user.email })
      expect(await mailsTo(user.email)).toHaveLength(6)
    },
  )
})

describe('the owner of a taken address', () => {
  it('is told of five sign-ups an hour, whoever tries, and all of them are answered alike', async () => {
    const api = await deployAuth({ RATE_LIMIT_SCALE: '1', AUTH_STRICT_SIGNUP: 'true' })
    const { user } = await createTestUser()
    const body = { email: user.email, password: 'a good password' }
    for (let i = 0; i < 8; i++) {
      expect((await api.post('auth/register', body, { ip: `198.51.100.${i}` })).status).toBe(202)
      expect(await mailsTo(user.email)).toHaveLength(Math.min(i + 1, 5))
    }

    vi.setSystemTime(Date.now() + HOUR_MS)
    await api.post('auth/register', body)
    expect(await mailsTo(user.email)).toHaveLength(6)
  })
})

describe('two hundred wrong logins from one address', () => {
  const attacker = { ip: '198.51.100.66' }

  /** What so many wrong passwords are answered, and how many of them were compared at all. */
  async function attack(api: AuthApi, email: string, count: number, atOnce = false) {
    const compare = vi.spyOn(bcrypt, 'compare')
    const guess = (i: number) => api.post('auth/login', { email, password: `guess number ${i}` }, attacker)
    const answers: Awaited<ReturnType<typeof guess>>[] = []
    if (atOnce) answers.push(...(await Promise.all(Array.from({ length: count }, (_, i) => guess(i)))))
    else for (let i = 0; i < count; i++) answers.push(await guess(i))
    const compared = compare.mock.calls.length
    compare.mockRestore()
    return { answers, compared }
  }

  // Without the limit of the address, to see the other one.
  const deployGenerously = () => deployAuth({ RATE_LIMIT_SCALE: '1000' })

  it.each([
    ['one after the other', false],
    ['at once', true],
  ])('are refused with Retry-After, while the owner elsewhere gets in at once: %s', async (_, atOnce) => {
    const api = await deployGenerously()
    const { user } = await createTestUser()

    const { answers, compared } = await attack(api, user.email, 200, atOnce)

    expect(answers.filter(({ status }) => status === 401)).toHaveLength(6)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(194)
    expect(new Set(refused.map(({ headers }) => headers.get('retry-after')))).toEqual(new Set(['2']))
    expect(compared).toBe(6)
    const owner = { email: user.email, password: TEST_PASSWORD }
    expect((await api.post('auth/login', owner, { ip: '203.0.113.20' })).status).toBe(200)
    expect((await api.post('auth/login', owner, attacker)).status).toBe(429)
    vi.setSystemTime(Date.now() + 2_000)
    expect((await api.post('auth/login', owner, attacker)).status).toBe(200)
  })

  it('are answered for an unknown address as for a known one', async () => {
    const api = await deployGenerously()
    const { user } = await createTestUser()
    const [known, unknown] = [await attack(api, user.email, 20), await attack(api, 'nobody@example.com', 20)]

    const seen = ({ answers, compared }: typeof known) => ({
      compared,
      answers: answers.map(({ status, body, headers }) => [status, body.message, headers.get('retry-after')]),
    })
    expect(seen(unknown)).toEqual(seen(known))
  })

  it('count together over the routes that take a password', async () => {
    const api = await deployGenerously()
    const { user } = await createTestUser()
    for (let i = 0; i < 6; i++)
      await api.post('users/auth', { username: user.email, password: `guess ${i}` }, attacker)

    const guess = { email: user.email, password: 'guess' }
    expect((await api.post('auth/login', guess, attacker)).status).toBe(429)
    expect((await api.post('users/auth', { username: user.email, password: 'x' }, attacker)).status).toBe(429)
  })

  it('do not keep out an owner who mistypes for long and then does not', async () => {
    const api = await deployGenerously()
    const { user } = await createTestUser()
    const log = (password: string) => api.post('auth/login', { email: user.email, password })
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 5; i++) expect((await log('mistyped')).status).toBe(401)
      expect((await log(TEST_PASSWORD)).status).toBe(200)
    }
  })
})

describe('an account that many addresses attack', () => {
  it('is closed to strangers, and open to the networks that its owner has logged in from', async () => {
    const api = await deployAuth({ RATE_LIMIT_SCALE: '1000' })
    const { user } = await createTestUser()
    const [home, strange] = ['203.0.113.30', '203.0.113.31']
    const log = (ip: string, password = TEST_PASSWORD) =>
      api.post('auth/login', { email: user.email, password }, { ip })
    expect((await log(home)).status).toBe(200)

    const attackers = Array.from({ length: 150 }, (_, i) => log(`198.51.100.${i}`, 'guess'))
    const statuses = (await Promise.all(attackers)).map(({ status }) => status)
    // The owner's first login came from a stranger's network too, but is no failure.
    expect(statuses.filter(status => status === 401)).toHaveLength(101)

    expect((await log(home)).status).toBe(200)
    const refused = await log(strange)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '300'])
  })
})
