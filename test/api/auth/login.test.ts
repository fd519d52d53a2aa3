import bcrypt from 'bcryptjs'
import { decodeJwt } from 'jose'
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { listenToCommands, type SentCommand } from '../../support/fixtures/commands.js'
import { createTestUser, TEST_PASSWORD, type TestUserOptions } from '../../support/users.js'
import { type AuthApi, deployAuth } from './auth-api.js'

let api: AuthApi

trackBackgroundTasks()
beforeAll(async () => {
  api = await deployAuth()
})
beforeEach(() => emptyDatabase())

const login = (email: string, password: unknown = TEST_PASSWORD, more: object = {}) =>
  api.post('auth/login', { email, password, ...more })

describe('a login', () => {
  it('answers with the user and its tokens, at top level and under data', async () => {
    const { user: stored } = await createTestUser({ name: 'Asha', emailVerifiedAt: new Date() })
    const { status, body, text } = await login(stored.email)

    const { user, token, refreshToken, expiresIn } = body
    expect(status).toBe(200)
    expect(body).toEqual({
      success: true,
      user: {
        id: stored._id.toHexString(),
        _id: stored._id.toHexString(),
        email: stored.email,
        name: 'Asha',
        role: 'user',
        status: 'active',
        emailVerified: true,
        createdAt: stored.createdAt.toISOString(),
        updatedAt: stored.updatedAt.toISOString(),
      },
      token: expect.stringMatching(/^eyJ/),
      refreshToken: expect.stringMatching(/^llr_/),
      expiresIn: 7 * 24 * 60 * 60,
      data: { user, token, refreshToken, expiresIn },
    })
    expect(text).not.toMatch(/hash|sessionVersion|\$2b/i)
    expect((await api.me({ token })).body).toEqual({ success: true, user, data: user })
  })

  it('does not look at credentials that old dashboards send along', async () => {
    const { user } = await createTestUser()
    const body = { email: user.email, password: TEST_PASSWORD }
    for (const headers of [{ authorization: 'Bearer widget-key' }, { 'x-api-key': 'llk_nonsense' }])
      expect((await api.post('auth/login', body, { headers })).status).toBe(200)
  })

  it('takes a password as it is, its blanks included', async () => {
    const { user } = await createTestUser({ plainPassword: '  pass word  ' })

    expect((await login(user.email, '  pass word  ')).status).toBe(200)
    expect((await login(user.email, 'pass word')).status).toBe(401)
  })

  it('is stored without a word of what was sent', async () => {
    const { user } = await createTestUser()
    await login(user.email)

    const stored = await Promise.all(
      ['users', 'refreshtokens', 'loginfailures', 'ratelimits'].map(name =>
        testDatabase().db.collection(name).find().toArray(),
      ),
    )
    expect(JSON.stringify(stored)).not.toMatch(/correct horse|203\.0\.113|llr_/)
  })
})

describe('a login that is refused', () => {
  let commands: SentCommand[]
  beforeAll(async () => {
    commands = await listenToCommands()
  })

  /** What whoever tries sees of a refusal, and what it cost to find out. */
  async function refusal(email: string, password: string) {
    const compare = vi.spyOn(bcrypt, 'compare')
    commands.length = 0
    const { status, headers, body } = await login(email, password)
    const rounds = compare.mock.calls.map(([, hash]) => bcrypt.getRounds(hash))
    compare.mockRestore()
    // Indexes are made by the first use of a collection, whoever's that is.
    const asked = commands
      .filter(({ name }) => name !== 'createIndexes')
      .map(({ name, collection }) => `${name} ${collection}`)
    const { requestId: _own, ...said } = body
    return { status, said, headers: [...headers.keys()].sort(), rounds, asked: asked.sort() }
  }

  it.each<[string, TestUserOptions, string]>([
    ['with a wrong password', {}, 'wrong password'],
    ['of a suspended user with the right one', { status: 'suspended' }, TEST_PASSWORD],
    ['of a deleted user with the right one', { status: 'deleted' }, TEST_PASSWORD],
    ['of a user without any', { plainPassword: null }, TEST_PASSWORD],
    ['of a user with one in clear text', { plainPassword: null, password: TEST_PASSWORD }, TEST_PASSWORD],
    ['of an admin with a wrong one', { role: 'admin' }, 'wrong password'],
    ['with more than bcrypt looks at', { plainPassword: 'x'.repeat(72) }, 'x'.repeat(73)],
    ['with 1,000 bytes', {}, 'x'.repeat(1_000)],
    ['with a NUL behind the right one', {}, `${TEST_PASSWORD}\0`],
  ])('%s is told what an unknown address is told, at the same cost', async (_, options, password) => {
    const { user } = await createTestUser(options)

    const known = await refusal(user.email, password)
    const unknown = await refusal(`nobody-${user._id}@example.com`, password)

    expect(known).toEqual(unknown)
    expect(known).toMatchObject({
      status: 401,
      said: { success: false, code: 'unauthenticated' },
      rounds: [4],
      asked: expect.arrayContaining(['find users', 'update loginfailures']),
    })
  })

  it('with a million bytes is not even read', async () => {
    const { user } = await createTestUser()

    expect((await login(user.email, 'x'.repeat(1_000_000))).status).toBe(413)
  })

  it('leaves no session and no trace in the account', async () => {
    const { user } = await createTestUser()
    const { db } = testDatabase()
    const before = await db.collection('users').find().toArray()
    await login(user.email, 'wrong password')

    expect(await db.collection('users').find().toArray()).toEqual(before)
    expect(await db.collection('refreshtokens').countDocuments()).toBe(1)
  })
})

describe('an old dashboard', () => {
  const dashboard = (username: unknown, password: unknown = TEST_PASSWORD) =>
    api.post('users/auth', { username, password })

  it('logs in, asks whether it still is, and logs out', async () => {
    const { user } = await createTestUser()
    const { status, body } = await dashboard(user.email.toUpperCase())
    expect(status).toBe(200)
    const { exp = 0 } = decodeJwt(body.token)
    const expiresAt = new Date(exp * 1000).toISOString()
    expect(body).toEqual({
      success: true,
      token: expect.stringMatching(/^eyJ/),
      username: user.email,
      expiresAt: expect.stringMatching(expiresAt.slice(0, 19)),
    })

    const { token } = body
    const verified = await api.post('users/verify', undefined, { token })
    expect(verified).toMatchObject({ status: 200, body: { success: true, username: user.email, expiresAt } })
    expect((await api.post('users/logout', undefined, { token })).status).toBe(200)
    expect((await api.post('users/verify', undefined, { token })).status).toBe(401)
  })

  it('is refused as every login is', async () => {
    const { user } = await createTestUser()

    const [wrong, unknown] = [
      await dashboard(user.email, 'wrong'),
      await dashboard('nobody@example.com', 'wrong'),
    ]
    expect(wrong).toMatchObject({ status: 401, body: { message: unknown.body.message } })
    expect(unknown.status).toBe(401)
  })
})

it('lets a token live as long as the deployment says, or 15 minutes where the client refreshes', async () => {
  const { user } = await createTestUser()
  const patient = await deployAuth({ ACCESS_TOKEN_TTL: '12h' })
  const long = await patient.post('auth/login', { email: user.email, password: TEST_PASSWORD })
  const wishes = { email: user.email, password: TEST_PASSWORD, tokenLife: 'short' }
  const short = await patient.post('auth/login', wishes)

  const lives = [long, short].map(({ body }) => {
    const { exp = 0, iat = 0 } = decodeJwt(body.token)
    return [body.expiresIn, exp - iat]
  })
  expect(lives).toEqual([
    [43_200, 43_200],
    [900, 900],
  ])
})

it('ends no session before its token does', async () => {
  const { user } = await createTestUser()
  const patient = await deployAuth({ ACCESS_TOKEN_TTL: '90d' })
  const { body } = await patient.post('auth/login', { email: user.email, password: TEST_PASSWORD })
  const later = new Date(Date.now() + 89 * 24 * 60 * 60 * 1000)
  vi.useFakeTimers({ now: later, toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  expect((await patient.me({ token: body.token })).status).toBe(200)
})

it('lets no token live longer than the deployment says, whatever the client asks for', async () => {
  const { user, refreshToken } = await createTestUser()
  const strict = await deployAuth({ ACCESS_TOKEN_TTL: '5m' })
  const wishes = { email: user.email, password: TEST_PASSWORD, tokenLife: 'short' }
  const answers = [
    await strict.post('auth/login', wishes),
    await strict.post('auth/refresh', { refreshToken }),
  ]

  for (const { body } of answers) {
    const { exp = 0, iat = 0 } = decodeJwt(body.token)
    expect([body.expiresIn, exp - iat]).toEqual([300, 300])
  }
})
