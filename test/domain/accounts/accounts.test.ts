import bcrypt from 'bcryptjs'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { sweepAccountMail } from '../../../lib/domain/accounts/account-mails.js'
import {
  type AccountRequest,
  checkPassword,
  login,
  register,
  resetPassword,
} from '../../../lib/domain/accounts/accounts.js'
import { findSessionUser } from '../../../lib/domain/accounts/sessions.js'
import { issueOneTimeToken, type User, users } from '../../../lib/domain/accounts/users.js'
import { mailOutbox } from '../../../lib/domain/mail-outbox.js'
import { AppError } from '../../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites } from '../../support/failpoint.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { createTestUser, TEST_PASSWORD, type TestUserOptions } from '../../support/users.js'

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
    const today = await import('../../../lib/domain/accounts/accounts.js')
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

  it('are not forgotten for one that the owner logs in from many times at once', async () => {
    const { user } = await createTestUser()
    await checkPassword(user.email, TEST_PASSWORD, request('198.51.100.1'))
    const [home] = (await stored(user))?.knownNetworks ?? []
    const attempt = () => checkPassword(user.email, TEST_PASSWORD, request('198.51.100.2'))
    // No more than are admitted before one of them has succeeded.
    await Promise.all(Array.from({ length: 6 }, attempt))

    expect((await stored(user))?.knownNetworks).toEqual([home, expect.any(String)])
  })

  it('are none that a wrong password came from', async () => {
    const { user } = await createTestUser()
    await expect(checkPassword(user.email, 'wrong', request())).rejects.toMatchObject({
      code: 'unauthenticated',
    })

    expect(await stored(user)).not.toHaveProperty('knownNetworks')
  })
})

describe('a mail that an account owes its owner', () => {
  const MINUTE_MS = 60_000
  const EMAIL = 'asha@example.com'

  /** What became of the mails to the address, by kind. */
  async function states(): Promise<Record<string, string>> {
    const mails = await testDatabase().db.collection('mailoutbox').find({ to: EMAIL }).toArray()
    return Object.fromEntries(mails.map(({ kind, state }) => [kind, state]))
  }

  /** Does something with all that goes on after its answer, in a process that ends after so many writes. */
  const crash = (writes: number, act: (request: AccountRequest) => Promise<unknown>) =>
    crashAfterWrites(writes, async () => {
      const failures: unknown[] = []
      const tasks: Promise<unknown>[] = []
      const background = (task: Promise<unknown>) =>
        void tasks.push(task.catch(error => failures.push(error)))
      await act({ ...request(), background }).finally(() => Promise.all(tasks))
      if (failures.length > 0) throw failures[0]
    })

  const sweepLater = () => sweepAccountMail(new Date(Date.now() + 2 * MINUTE_MS))
  const wishes = { tokenLife: 'default', session: 'token' } as const

  it('is sent whatever write of signing up is the last one before a crash', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await emptyDatabase()
      ended = await crash(writes, given =>
        register({ email: EMAIL, password: 'a good password', ...wishes }, given),
      )
      await sweepLater()

      const made = await (await users.open()).findOne({ email: EMAIL })
      expect(await states(), `after ${writes} writes`).toEqual(made ? { 'verify-email': 'sent' } : {})
      if (made) expect(made).not.toHaveProperty('owedMail')
    }
  })

  it('is sent whatever write of a reset is the last one before a crash', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await emptyDatabase()
      const { user } = await createTestUser({ email: EMAIL })
      const issued = await issueOneTimeToken(EMAIL, 'resetPassword', new Date())
      ended = await crash(writes, given => resetPassword(issued?.token ?? '', 'the new password', given))
      await sweepLater()

      const isReplaced = (await stored(user))?.passwordHash !== user.passwordHash
      expect(await states(), `after ${writes} writes`).toEqual(
        isReplaced ? { 'password-changed': 'sent' } : {},
      )
      expect(await stored(user)).not.toHaveProperty('owedMail')
    }
  })

  it('is left to its request for a minute, and sent once by however many sweeps then', async () => {
    await crash(1, given => register({ email: EMAIL, password: 'a good password', ...wishes }, given))
    await sweepAccountMail(new Date())
    expect(await states()).toEqual({})

    await Promise.all([sweepLater(), sweepLater(), sweepLater()])
    await sweepLater()

    expect(await testDatabase().db.collection('mailoutbox').find().toArray()).toMatchObject([
      { kind: 'verify-email', state: 'sent', attempts: 1 },
    ])
  })

  it('fails no request: the account is made, and the mail still owed, where the outbox is away', async () => {
    vi.spyOn(mailOutbox, 'open').mockRejectedValue(new AppError('unavailable'))
    const failures: unknown[] = []
    const background = (task: Promise<unknown>) => void task.catch(error => failures.push(error))

    const account = await register(
      { email: EMAIL, password: 'a good password', ...wishes },
      { ...request(), background },
    )

    expect(account?.user.email).toBe(EMAIL)
    await vi.waitFor(() => expect(failures).toHaveLength(1))
    vi.mocked(mailOutbox.open).mockRestore()
    await sweepLater()
    expect(await states()).toEqual({ 'verify-email': 'sent' })
  })
})

describe('a reset', () => {
  it('lets its network in at once, though it failed before and the account is under attack', async () => {
    const { user } = await createTestUser()
    const { email } = user
    const attempts = (network: string, count: number) =>
      Promise.allSettled(Array.from({ length: count }, () => checkPassword(email, 'guess', request(network))))
    for (let i = 0; i < 20; i++) await attempts(`198.51.100.${i}`, 6)
    const cafe = request('203.0.113.99')
    await attempts(cafe.network, 7)
    await expect(checkPassword(email, TEST_PASSWORD, cafe)).rejects.toMatchObject({ code: 'rate_limited' })

    const issued = await issueOneTimeToken(email, 'resetPassword', new Date())
    const tasks: Promise<unknown>[] = []
    await resetPassword(issued?.token ?? '', 'the new password', {
      ...cafe,
      background: task => void tasks.push(task),
    })
    await Promise.all(tasks)

    await expect(checkPassword(email, 'the new password', cafe)).resolves.toMatchObject({ email })
    const elsewhere = request('203.0.113.98')
    await expect(checkPassword(email, 'the new password', elsewhere)).rejects.toMatchObject({
      code: 'rate_limited',
    })
  })
})
