import bcrypt from 'bcryptjs'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type AccountRequest, checkPassword, login, resetPassword } from '../../lib/domain/accounts.js'
import { findSessionUser } from '../../lib/domain/sessions.js'
import { issueOneTimeToken, type User } from '../../lib/domain/users.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { createTestUser, TEST_PASSWORD, type TestUserOptions } from '../support/users.js'

trackBackgroundTasks()
beforeEach(() => emptyDatabase())

const request = (network = '203.0.113.7'): AccountRequest => ({
  now: new Date(),
  network,
  background: task => void task,
})

const stored = async ({ _id }: User) => testDatabase().db.collection('users').findOne({ _id })

const signIn = ({ email }: User, password = TEST_PASSWORD) =>
  login({ email, password, tokenLife: 'default', session: 'token' }, request())

/** A user as the old system stored it. */
async function legacyUser(options: TestUserOptions & { cost?: number } = {}): Promise<User> {
  const { cost = 10, ...overrides } = options
  const password = await bcrypt.hash(TEST_PASSWORD, cost)
  const past = { role: undefined, status: undefined, sessionVersion: undefined }
  return (await createTestUser({ plainPassword: null, password, ...past, ...overrides })).user
}

describe('a user of the old system', () => {
  it('logs in with its password, and is rewritten', async () => {
    const user = await legacyUser()

    const account = await signIn(user)

    expect(account.user).toMatchObject({
      email: user.email,
      role: 'user',
      status: 'active',
      emailVerified: false,
    })
    const after = await stored(user)
    expect(after).not.toHaveProperty('password')
    expect(after?.passwordHash).toMatch(/^\$2b\$04\$/)
    expect(after?.passwordHash).not.toBe(user.password)
    await expect(signIn(user)).resolves.toMatchObject({ user: { email: user.email } })
  })

  it('may have a hash of another library', async () => {
    for (const revision of ['2a', '2y']) {
      const password = (await bcrypt.hash(TEST_PASSWORD, 5)).replace('$2b$', `$${revision}$`)

      await expect(signIn(await legacyUser({ password }))).resolves.toMatchObject({ user: { role: 'user' } })
    }
  })

  it('is left as it is by a wrong password', async () => {
    const user = await legacyUser({ cost: 4 })

    await expect(signIn(user, 'wrong password')).rejects.toMatchObject({ code: 'unauthenticated' })
    expect((await stored(user))?.password).toBe(user.password)
  })

  it('is rewritten once by sixteen logins at once, which all succeed', async () => {
    const user = await legacyUser({ cost: 4 })
    const attempts = Array.from({ length: 16 }, (_, i) =>
      checkPassword(user.email, TEST_PASSWORD, request(`198.51.100.${i}`)),
    )

    expect(await Promise.all(attempts)).toHaveLength(16)
    expect(await stored(user)).not.toHaveProperty('password')
    await expect(signIn(user)).resolves.toBeDefined()
  })

  it('has no second password, where the new one and the old one are both stored', async () => {
    const passwordHash = await bcrypt.hash('the new password', 4)
    const user = await legacyUser({ cost: 4, passwordHash })

    await expect(signIn(user)).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(signIn(user, 'the new password')).resolves.toBeDefined()
  })
})

describe('a hash of a lower cost than today’s', () => {
  it('is made again at login, and one of a higher cost is kept', async () => {
    for (const [cost, expected] of [
      [4, 4],
      [5, 5],
    ] as const) {
      const passwordHash = await bcrypt.hash(TEST_PASSWORD, cost)
      const { user } = await createTestUser({ plainPassword: null, passwordHash })
      await signIn(user)
      expect(bcrypt.getRounds((await stored(user))?.passwordHash)).toBe(expected)
      expect((await stored(user))?.passwordHash).toBe(passwordHash)
    }

    const { user } = await createTestUser()
    vi.stubEnv('BCRYPT_COST', '5')
    vi.resetModules()
    const today = await import('../../lib/domain/accounts.js')
    await today.checkPassword(user.email, TEST_PASSWORD, request())

    expect((await stored(user))?.passwordHash).toMatch(/^\$2b\$05\$/)
    await expect(today.checkPassword(user.email, TEST_PASSWORD, request())).resolves.toBeDefined()
  })
})

describe('a password that is reset while a login is under way', () => {
  it.each<[string, () => Promise<User>]>([
    ['of a user', async () => (await createTestUser()).user],
    ['of a user with a weak hash', async () => weakUser()],
    ['of a user of the old system', () => legacyUser({ cost: 4 })],
  ])('stays reset, and the login ends with the other sessions: %s', async (_, make) => {
    const user = await make()
    const issued = await issueOneTimeToken(user.email, 'resetPassword', new Date())
    const compare = bcrypt.compare
    vi.spyOn(bcrypt, 'compare').mockImplementationOnce(async (password, hash) => {
      await resetPassword(issued?.token ?? '', 'the new password', request())
      return compare(password, hash)
    })

    const { token } = await signIn(user)

    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    expect(await findSessionUser(claims.sub, claims.sid, claims.ver, new Date())).toBeUndefined()
    await expect(signIn(user, TEST_PASSWORD)).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(signIn(user, 'the new password')).resolves.toBeDefined()
    await backgroundTasksDone()
  })

  async function weakUser(): Promise<User> {
    vi.stubEnv('BCRYPT_COST', '4')
    const passwordHash = await bcrypt.hash(TEST_PASSWORD, 4)
    return (await createTestUser({ plainPassword: null, passwordHash })).user
  }
})

describe('the networks that an owner logs in from', () => {
  it('are the last ten, each once, and not readable', async () => {
    const { user } = await createTestUser()
    for (let i = 0; i < 12; i++) await checkPassword(user.email, TEST_PASSWORD, request(`198.51.100.${i}`))
    const first = await stored(user)
    await checkPassword(user.email, TEST_PASSWORD, request('198.51.100.11'))

    expect(first?.knownNetworks).toHaveLength(10)
    expect(new Set(first?.knownNetworks).size).toBe(10)
    expect((await stored(user))?.knownNetworks).toEqual(first?.knownNetworks)
    expect(JSON.stringify(first)).not.toContain('198.51')
    expect(first?.lastLoginAt).toBeInstanceOf(Date)
  })

  it('are none that a wrong password came from', async () => {
    const { user } = await createTestUser()
    await expect(checkPassword(user.email, 'wrong', request())).rejects.toMatchObject({
      code: 'unauthenticated',
    })

    expect(await stored(user)).not.toHaveProperty('knownNetworks')
  })
})
