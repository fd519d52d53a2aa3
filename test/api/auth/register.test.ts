import { decodeJwt } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { createTestUser, TEST_PASSWORD } from '../../support/users.js'
import { type AuthApi, deployAuth, mailedToken, mailsTo, type SentMail } from './auth-api.js'

let api: AuthApi

trackBackgroundTasks()
beforeAll(async () => {
  api = await deployAuth()
})
beforeEach(() => emptyDatabase())

let count = 0
const newEmail = () => `new-${++count}@example.com`
const password = 'a good password'
const storedUsers = () => testDatabase().db.collection('users').find().toArray()

describe.each(['auth/register', 'auth/signup'] as const)('%s', route => {
  it('answers with the user and its tokens, at top level and under data', async () => {
    const email = newEmail()
    const { status, body, text } = await api.post(route, {
      email,
      password,
      name: ' Asha ',
      phone: '+1234567890',
    })

    expect(status).toBe(201)
    const { user, token, refreshToken, expiresIn } = body
    expect(body).toEqual({
      success: true,
      user: {
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        _id: user.id,
        email,
        name: 'Asha',
        phone: '+1234567890',
        role: 'user',
        status: 'active',
        emailVerified: false,
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
      },
      token: expect.stringMatching(/^eyJ/),
      refreshToken: expect.stringMatching(/^llr_/),
      expiresIn: 7 * 24 * 60 * 60,
      data: { user, token, refreshToken, expiresIn },
    })
    expect(text).not.toMatch(/hash|sessionVersion|\$2b/i)
    const { exp = 0, iat = 0 } = decodeJwt(token)
    expect(exp - iat).toBe(expiresIn)
    expect((await api.me({ token })).body.user).toEqual(user)
  })

  it.each(['', ' ', null])('takes a name and a phone of %j as none', async none => {
    const { status, body } = await api.post(route, { email: newEmail(), password, name: none, phone: none })
    expect(status).toBe(201)
    for (const field of ['name', 'phone']) {
      expect(body.user).not.toHaveProperty(field)
      expect((await storedUsers())[0]).not.toHaveProperty(field)
    }
  })

  it('sends a mail that proves the address', async () => {
    const email = newEmail()
    await api.post(route, { email, password })

    const token = await mailedToken(email)
    expect(token).toMatch(/^[\w-]{43}$/)
    expect((await api.post('auth/verify-email', { token })).status).toBe(200)
  })
})

describe('an account', () => {
  it('is stored with a hash, and without a word of the password', async () => {
    await api.post('auth/register', { email: newEmail(), password })

    const [user] = await storedUsers()
    expect(user?.passwordHash).toMatch(/^\$2b\$04\$/)
    expect(user).not.toHaveProperty('password')
    expect(JSON.stringify(user)).not.toContain(password)
    const [session] = await testDatabase().db.collection('refreshtokens').find().toArray()
    expect(session?.hash).toMatch(/^[\w-]{43}$/)
  })

  it('has a short access token where the client refreshes', async () => {
    const { body } = await api.post('auth/register', { email: newEmail(), password, tokenLife: 'short' })

    const { exp = 0, iat = 0 } = decodeJwt(body.token)
    expect([body.expiresIn, exp - iat]).toEqual([900, 900])
  })

  it('needs no more than address and password', async () => {
    const { status, body } = await api.post('auth/register', { email: newEmail(), password })
    expect(status).toBe(201)
    expect(body.user).not.toHaveProperty('name')
  })

  it.each([
    ['7 characters', 'abcdefg'],
    ['73 bytes', 'x'.repeat(73)],
    ['75 bytes of 25 characters', 'अ'.repeat(25)],
    ['1,000 bytes', 'x'.repeat(1_000)],
    ['a NUL', 'abcdefgh\0'],
    ['a number', 12345678],
    ['nothing', undefined],
  ])('is not made with a password of %s', async (_, refused) => {
    const { status, body } = await api.post('auth/register', { email: newEmail(), password: refused })

    expect([status, body.code]).toEqual([400, 'invalid_request'])
    expect(body.details?.map(({ path }) => path)).toContain('password')
    expect(await storedUsers()).toEqual([])
  })

  it('is not made with a password of a million bytes, which are not even read', async () => {
    const { status } = await api.post('auth/register', { email: newEmail(), password: 'x'.repeat(1_000_000) })

    expect(status).toBe(413)
  })
})

describe('a taken address', () => {
  it('is a conflict that changes nothing', async () => {
    const { user } = await createTestUser()
    const before = await storedUsers()

    const { status, body } = await api.post('auth/register', {
      email: user.email,
      password: 'another password',
    })

    expect([status, body.code]).toEqual([409, 'conflict'])
    expect(body).not.toHaveProperty('token')
    expect(await storedUsers()).toEqual(before)
    expect(await mailsTo(user.email)).toEqual([])
    expect((await api.post('auth/login', { email: user.email, password: TEST_PASSWORD })).status).toBe(200)
  })

  it('is still taken while its account is suspended', async () => {
    const { user } = await createTestUser({ status: 'suspended' })

    expect((await api.post('auth/register', { email: user.email, password })).status).toBe(409)
  })

  it('is one account’s, though 32 ask for it at once', async () => {
    const email = newEmail()
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, i) =>
        api.post('auth/register', { email, password: `password of ${i}` }),
      ),
    )

    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(31).fill(409)])
    expect(await storedUsers()).toHaveLength(1)
    const winner = answers.findIndex(({ status }) => status === 201)
    expect((await api.post('auth/login', { email, password: `password of ${winner}` })).status).toBe(200)
    expect(await mailsTo(email)).toHaveLength(1)
  })
})

describe('a deployment without a secret', () => {
  it('says so before anything is done', async () => {
    const { user, refreshToken } = await createTestUser()
    const sessions = () => testDatabase().db.collection('refreshtokens').find().toArray()
    const before = await sessions()
    const unable = await deployAuth({ AUTH_SECRET: '' })
    const answers = [
      await unable.post('auth/register', { email: newEmail(), password }),
      await unable.post('auth/login', { email: user.email, password: TEST_PASSWORD }),
      await unable.post('auth/login', { email: user.email, password: 'wrong password' }),
      await unable.post('auth/refresh', { refreshToken }),
    ]

    for (const answer of answers)
      expect(answer).toMatchObject({ status: 501, body: { code: 'not_configured' } })
    expect(await storedUsers()).toHaveLength(1)
    expect(await sessions()).toEqual(before)
  })
})

describe('strict sign-up', () => {
  it('answers a new and a taken address alike, without a token, and writes to both owners', async () => {
    const strict = await deployAuth({ AUTH_STRICT_SIGNUP: 'true' })
    const { user } = await createTestUser()
    const [taken, free] = [user.email, newEmail()]
    const before = await storedUsers()

    const answers = await Promise.all(
      [taken, free].map(email => strict.post('auth/register', { email, password: 'another password' })),
    )

    expect(answers.map(({ status }) => status)).toEqual([202, 202])
    expect(answers[0]?.body).toEqual(answers[1]?.body)
    expect(answers[0]?.body).toEqual({ success: true, message: expect.any(String), data: null })
    const [first, second] = answers.map(({ headers }) => [...headers.keys()].sort())
    expect(first).toEqual(second)

    const [toOwner] = await mailsTo(taken)
    expect(toOwner?.token).toBe('')
    const token = await mailedToken(free)
    expect(await strict.post('auth/verify-email', { token })).toMatchObject({ status: 200 })
    expect(await storedUsers()).toEqual(expect.arrayContaining(before))
    expect((await strict.post('auth/login', { email: free, password: 'another password' })).status).toBe(200)
    expect((await strict.post('auth/login', { email: taken, password: 'another password' })).status).toBe(401)
  })

  it('is told by no login either, until the address is proven', async () => {
    const strict = await deployAuth({ AUTH_STRICT_SIGNUP: 'true' })
    const { user } = await createTestUser()
    const [taken, free] = [user.email, newEmail()]
    const login = (email: string) => strict.post('auth/login', { email, password: 'another password' })
    for (const email of [taken, free])
      await strict.post('auth/register', { email, password: 'another password' })

    const [ofTaken, ofFree] = [await login(taken), await login(free)]
    expect([ofTaken.status, ofFree.status]).toEqual([401, 401])
    expect({ ...ofFree.body, requestId: '' }).toEqual({ ...ofTaken.body, requestId: '' })
    await strict.post('auth/verify-email', { token: await mailedToken(free) })
    expect((await login(free)).status).toBe(200)
    expect((await strict.post('auth/login', { email: taken, password: TEST_PASSWORD })).status).toBe(200)
  })

  it('offers no login to who signs up again before the address is proven', async () => {
    const strict = await deployAuth({ AUTH_STRICT_SIGNUP: 'true' })
    const email = newEmail()
    for (let i = 0; i < 2; i++) await strict.post('auth/register', { email, password })
    const wayIn = ({ source }: SentMail) => /simply sign in|forgot-password\.html/.exec(source)?.[0]

    expect((await mailsTo(email)).map(wayIn)).toEqual([undefined, 'forgot-password.html'])
    await strict.post('auth/verify-email', { token: (await mailsTo(email))[0]?.token })
    await strict.post('auth/register', { email, password })
    expect((await mailsTo(email)).map(wayIn).at(-1)).toBe('simply sign in')
  })

  it('gives no cookies either', async () => {
    const strict = await deployAuth({ AUTH_STRICT_SIGNUP: 'true' })
    const body = { email: newEmail(), password, session: 'cookie' }
    const { status, headers } = await strict.post('auth/register', body, {
      origin: 'https://leadline.example',
    })

    expect([status, headers.getSetCookie()]).toEqual([202, []])
  })
})
