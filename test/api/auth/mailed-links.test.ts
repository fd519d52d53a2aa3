import { Collection } from 'mongodb'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { apiKeys, createApiKey, findApiKey, listApiKeys } from '../../../lib/domain/accounts/api-keys.js'
import { AppError } from '../../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { createTestUser, TEST_PASSWORD, type TestUser } from '../../support/users.js'
import { type AuthApi, type AuthPost, deployAuth, mailedToken, mailsTo } from './auth-api.js'

const HOUR_MS = 60 * 60 * 1000
const PASSWORD = 'another good password'

let api: AuthApi
let asha: TestUser

trackBackgroundTasks()
beforeAll(async () => {
  api = await deployAuth()
})
beforeEach(async () => {
  await emptyDatabase()
  asha = await createTestUser()
})

const users = () => testDatabase().db.collection('users')
const storedAsha = () => users().findOne({ _id: asha.user._id })
const forgot = (email: string) => api.post('auth/forgot-password', { email })
const resend = (email: string) => api.post('auth/resend-verification', { email })
const verify = (token: string) => api.post('auth/verify-email', { token })
const reset = (token: string, password = PASSWORD) => api.post('auth/reset-password', { token, password })
const login = (password: string) => api.post('auth/login', { email: asha.user.email, password })

const makeKey = () => createApiKey({ scopes: ['leads:read'] }, asha.user._id, new Date())

/** The token of a fresh mail of that kind. */
async function tokenBy(ask: (email: string) => Promise<unknown>): Promise<string> {
  await ask(asha.user.email)
  return mailedToken(asha.user.email)
}

/** Lets time pass for the routes, for the rest of the test. */
function wait(ms: number) {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + ms)
}

beforeEach(() => () => void vi.useRealTimers())

describe('asking for a mail', () => {
  const ASKING = [
    ['forgot', 'auth/forgot-password', 'reset-password'],
    ['resend', 'auth/resend-verification', 'verify-email'],
  ] as const

  it.each(ASKING)(
    'is answered alike for every address, and the mail goes to who is there: %s',
    async (_, route) => {
      const suspended = await createTestUser({ status: 'suspended' })
      const deleted = await createTestUser({ status: 'deleted' })
      const addresses = [asha, suspended, deleted].map(({ user }) => user.email)
      const answers = await Promise.all(
        [...addresses, 'nobody@example.com'].map(email => api.post(route, { email })),
      )

      for (const { status, text, headers } of answers) {
        expect([status, text]).toEqual([200, answers[0]?.text])
        expect([...headers.keys()].sort()).toEqual([...(answers[0]?.headers.keys() ?? [])].sort())
      }
      expect(answers[0]?.body).toEqual({ success: true, message: expect.any(String), data: null })
      const sent = await Promise.all([...addresses, 'nobody@example.com'].map(mailsTo))
      expect(sent.map(({ length }) => length)).toEqual([1, 0, 0, 0])
    },
  )

  it.each(ASKING)('stores the same for every address: %s', async (_, route, kind) => {
    const ask = (email: string) => api.post(route, { email })
    await Promise.all([ask(asha.user.email), ask('nobody@example.com')])

    const outbox = testDatabase().db.collection<{ _id: string }>('mailoutbox')
    await mailsTo(asha.user.email)
    const stored = await outbox.find().sort({ _id: 1 }).toArray()
    expect(stored.map(({ _id }) => _id).sort()).toEqual(
      [`${kind}:${asha.user.email}`, `${kind}:nobody@example.com`].sort(),
    )
    const [first = {}, second = {}] = stored
    expect(Object.keys(first).sort()).toEqual(Object.keys(second).sort())
  })

  it('sends no verification to an address that is proven', async () => {
    const { user } = await createTestUser({ emailVerifiedAt: new Date() })

    expect((await resend(user.email)).status).toBe(200)
    expect(await mailsTo(user.email)).toEqual([])
  })

  it('needs no address from who is signed in, and needs one from everybody else', async () => {
    const ask = (options: object) => api.post('auth/resend-verification', undefined, options)

    expect((await ask({ token: asha.token })).status).toBe(200)
    expect(await mailsTo(asha.user.email)).toHaveLength(1)
    for (const options of [{}, { token: 'widget-key' }])
      expect(await ask(options)).toMatchObject({ status: 400, body: { details: [{ path: 'email' }] } })
  })

  it('stores nothing with which the link could be made', async () => {
    const token = await tokenBy(forgot)

    const { db } = testDatabase()
    const stored = await Promise.all(
      ['users', 'mailoutbox'].map(name => db.collection(name).find().toArray()),
    )
    expect(token).toHaveLength(43)
    expect(JSON.stringify(stored)).not.toContain(token)
  })
})

describe('a link to verify', () => {
  it('proves the address, once', async () => {
    const token = await tokenBy(resend)

    const { status, body } = await verify(token)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      success: true,
      data: { user: { email: asha.user.email, emailVerified: true } },
    })
    expect((await api.me({ token: asha.token })).body.user.emailVerified).toBe(true)
    expect(await verify(token)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })

  it('lives for two days', async () => {
    const token = await tokenBy(resend)
    wait(48 * HOUR_MS)

    expect((await verify(token)).status).toBe(400)
    expect(await storedAsha()).not.toHaveProperty('emailVerifiedAt')
  })

  it('is still good at the end of its second day', async () => {
    const token = await tokenBy(resend)
    wait(47.9 * HOUR_MS)

    expect((await verify(token)).status).toBe(200)
  })
})

describe('a link to reset', () => {
  it('sets the password, ends every session, proves the address and tells the owner', async () => {
    const elsewhere = (await login(TEST_PASSWORD)).body
    const token = await tokenBy(forgot)

    const { status, body } = await reset(token)

    expect([status, body]).toEqual([200, { success: true, message: expect.any(String), data: null }])
    for (const access of [asha.token, elsewhere.token])
      expect((await api.me({ token: access })).status).toBe(401)
    for (const refreshToken of [asha.refreshToken, elsewhere.refreshToken])
      expect((await api.post('auth/refresh', { refreshToken })).status).toBe(401)
    expect((await login(TEST_PASSWORD)).status).toBe(401)
    expect((await login(PASSWORD)).body.user).toMatchObject({ emailVerified: true })
    expect((await mailsTo(asha.user.email)).map(({ subject }) => subject)).toEqual([
      expect.stringMatching(/password/i),
      expect.stringMatching(/changed/i),
    ])
    expect((await reset(token, 'yet another password')).status).toBe(400)
  })

  it('leaves no session behind', async () => {
    await reset(await tokenBy(forgot))

    await backgroundTasksDone()
    expect(await testDatabase().db.collection('refreshtokens').countDocuments()).toBe(0)
  })

  it('replaces what the old system stored, too', async () => {
    const hash = asha.user.passwordHash
    await users().updateOne(
      { _id: asha.user._id },
      { $set: { password: hash }, $unset: { passwordHash: '' } },
    )

    await reset(await tokenBy(forgot))

    expect(await storedAsha()).not.toHaveProperty('password')
    expect((await login(TEST_PASSWORD)).status).toBe(401)
    expect((await login(PASSWORD)).status).toBe(200)
  })

  it('keeps the day on which the address was proven', async () => {
    const emailVerifiedAt = new Date('2025-01-02T03:04:05Z')
    await users().updateOne({ _id: asha.user._id }, { $set: { emailVerifiedAt } })

    await reset(await tokenBy(forgot))

    expect(await storedAsha()).toMatchObject({ emailVerifiedAt })
  })

  it('ends the API keys of whoever registered the address before its owner proved it', async () => {
    const { key, apiKey } = await makeKey()
    const token = await tokenBy(forgot)
    expect(await findApiKey(key, new Date())).toBeDefined()

    await reset(token)
    expect(await findApiKey(key, new Date())).toBeUndefined()
    await backgroundTasksDone()
    const [listed] = (await listApiKeys(asha.user._id, { limit: 2 })).items
    expect(listed).toMatchObject({ id: apiKey.id, revokedAt: expect.any(Date) })
    wait(1)
    expect(await findApiKey((await makeKey()).key, new Date())).toBeDefined()
  })

  it('ends them in the write that replaces the password: a crash behind it saves none', async () => {
    const { key } = await makeKey()
    const token = await tokenBy(forgot)
    vi.spyOn(apiKeys, 'open').mockRejectedValueOnce(new AppError('unavailable'))

    expect((await reset(token)).status).toBe(200)
    await backgroundTasksDone()
    expect(await findApiKey(key, new Date())).toBeUndefined()
    const [listed] = (await listApiKeys(asha.user._id, { limit: 2 })).items
    expect(listed).toMatchObject({ revokedAt: null })
  })

  it('ends those too that are made while the new password is being hashed', async () => {
    const token = await tokenBy(forgot)
    const { default: bcrypt } = await import('bcryptjs')
    const { hash } = bcrypt
    let made = ''
    vi.spyOn(bcrypt, 'hash').mockImplementationOnce(async (password, cost) => {
      wait(300)
      made = (await makeKey()).key
      return hash(password, cost)
    })

    expect((await reset(token)).status).toBe(200)
    expect(made).not.toBe('')
    expect(await findApiKey(made, new Date())).toBeUndefined()
  })

  it('ends those too that are made while the write of the new password is on its way', async () => {
    const token = await tokenBy(forgot)
    const { findOneAndUpdate } = Collection.prototype
    let made = ''
    vi.spyOn(Collection.prototype, 'findOneAndUpdate').mockImplementation(async function (
      this: Collection,
      ...sent: unknown[]
    ) {
      if (made === '' && this.collectionName === 'users') {
        wait(300)
        made = (await makeKey()).key
      }
      return findOneAndUpdate.apply(this, sent as never)
    } as never)

    expect((await reset(token)).status).toBe(200)
    expect(made).not.toBe('')
    expect(await findApiKey(made, new Date())).toBeUndefined()
    wait(1)
    expect(await findApiKey((await makeKey()).key, new Date())).toBeDefined()
  })

  it('leaves the keys of an owner whose address was proven already', async () => {
    await users().updateOne({ _id: asha.user._id }, { $set: { emailVerifiedAt: new Date() } })
    const { key } = await makeKey()

    expect((await reset(await tokenBy(forgot))).status).toBe(200)
    expect(await findApiKey(key, new Date())).toBeDefined()
  })

  it('lives for an hour', async () => {
    const token = await tokenBy(forgot)
    wait(HOUR_MS)

    expect((await reset(token)).status).toBe(400)
    expect((await storedAsha())?.passwordHash).toBe(asha.user.passwordHash)
  })

  it('is not used up by a password that is refused', async () => {
    const token = await tokenBy(forgot)

    for (const password of ['short', 'x'.repeat(73), 'abcdefgh\0'])
      expect((await reset(token, password)).status).toBe(400)
    expect((await reset(token)).status).toBe(200)
  })
})

describe.each<[AuthPost, (email: string) => Promise<unknown>, (token: string) => ReturnType<typeof verify>]>([
  ['auth/verify-email', resend, verify],
  ['auth/reset-password', forgot, reset],
])('a one-time token: %s', (route, ask, use) => {
  it('is used once, by one of sixteen at once', async () => {
    const token = await tokenBy(ask)
    const statuses = (await Promise.all(Array.from({ length: 16 }, () => use(token)))).map(
      ({ status }) => status,
    )

    expect(statuses.sort()).toEqual([200, ...Array<number>(15).fill(400)])
  })

  it('is void once the next one was sent', async () => {
    const first = await tokenBy(ask)
    const second = await tokenBy(ask)

    expect(second).not.toBe(first)
    expect((await use(first)).status).toBe(400)
    expect((await use(second)).status).toBe(200)
  })

  it.each(['GET', 'HEAD'])('is not used by a %s, which previews and scanners send', async method => {
    const token = await tokenBy(ask)
    const query = `?token=${token}&password=${encodeURIComponent(PASSWORD)}`

    expect((await api.send(method, route + query)).status).toBe(405)
    expect((await use(token)).status).toBe(200)
  })

  it('is of no use to whoever is suspended or deleted meanwhile', async () => {
    for (const status of ['suspended', 'deleted']) {
      await users().updateOne({ _id: asha.user._id }, { $set: { status: 'active' } })
      const token = await tokenBy(ask)
      await users().updateOne({ _id: asha.user._id }, { $set: { status } })

      expect((await use(token)).status, status).toBe(400)
    }
  })

  it('is no token of the other kind', async () => {
    const token = await tokenBy(ask)

    expect((await (use === verify ? reset(token) : verify(token))).status).toBe(400)
    expect((await use(token)).status).toBe(200)
  })

  it.each(['', 'x', 'undefined', 'null', '0'.repeat(43), 'x'.repeat(201)])('is not %j', async token => {
    await tokenBy(ask)

    expect((await use(token)).status).toBe(400)
  })
})
