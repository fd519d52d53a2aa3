import { decodeJwt } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { issueOneTimeToken } from '../../../lib/domain/accounts/users.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { createTestUser, TEST_PASSWORD } from '../../support/users.js'
import { type AuthApi, deployAuth } from './auth-api.js'

let api: AuthApi

trackBackgroundTasks()
beforeAll(async () => {
  api = await deployAuth()
})
beforeEach(() => emptyDatabase())

const refresh = (refreshToken: unknown) => api.post('auth/refresh', { refreshToken })
const isLive = async (token: string) => (await api.me({ token })).status === 200

describe('a refresh', () => {
  it('answers as a login does, with tokens of the same session that live as long', async () => {
    const { user, refreshToken, sessionId } = await createTestUser()
    const { status, body } = await refresh(refreshToken)

    expect(status).toBe(200)
    expect(body).toEqual({
      success: true,
      user: expect.objectContaining({ email: user.email }),
      token: expect.stringMatching(/^eyJ/),
      refreshToken: expect.stringMatching(/^llr_/),
      expiresIn: 604_800,
      data: { user: body.user, token: body.token, refreshToken: body.refreshToken, expiresIn: 604_800 },
    })
    expect(body.refreshToken).not.toBe(refreshToken)
    expect(decodeJwt(body.token)).toMatchObject({ sid: sessionId })
    expect(await isLive(body.token)).toBe(true)
  })

  it.each([
    ['short', 900],
    ['default', 604_800],
  ])('keeps the life of tokens that the login asked for: %s', async (tokenLife, seconds) => {
    const { email } = (await createTestUser()).user
    const { body } = await api.post('auth/login', { email, password: TEST_PASSWORD, tokenLife })
    const first = await refresh(body.refreshToken)
    const second = await refresh(first.body.refreshToken)
    expect([first.body.expiresIn, second.body.expiresIn]).toEqual([seconds, seconds])
  })

  it('of a session of before that was kept gives 15 minutes', async () => {
    const { refreshToken } = await createTestUser()
    await testDatabase()
      .db.collection('refreshtokens')
      .updateOne({}, { $unset: { tokenLife: '' } })
    expect((await refresh(refreshToken)).body.expiresIn).toBe(900)
  })

  it('may go on for ever, token by token, and leaves one document', async () => {
    let { refreshToken, token } = await createTestUser()
    for (let i = 0; i < 5; i++) {
      const { status, body } = await refresh(refreshToken)
      expect(status).toBe(200)
      ;({ refreshToken, token } = body)
    }

    expect(await isLive(token)).toBe(true)
    expect(await testDatabase().db.collection('refreshtokens').countDocuments()).toBe(1)
  })

  it('leaves the access token that it replaces in force until that ends', async () => {
    const { refreshToken, token } = await createTestUser()
    await refresh(refreshToken)

    expect(await isLive(token)).toBe(true)
  })
})

describe('a refresh token that was used before', () => {
  it('ends its session at once: every access and refresh token of it', async () => {
    const { refreshToken: first, token } = await createTestUser()
    const second = (await refresh(first)).body
    const third = (await refresh(second.refreshToken)).body

    expect((await refresh(first)).status).toBe(401)

    for (const access of [token, second.token, third.token]) expect(await isLive(access)).toBe(false)
    expect((await refresh(third.refreshToken)).status).toBe(401)
  })

  it('ends no other session of the user', async () => {
    const { user, refreshToken } = await createTestUser()
    const other = (await api.post('auth/login', { email: user.email, password: TEST_PASSWORD })).body
    await refresh(refreshToken)
    await refresh(refreshToken)

    expect(await isLive(other.token)).toBe(true)
    expect((await refresh(other.refreshToken)).status).toBe(200)
  })

  it('is what fifteen of sixteen requests with one token come with, so that at most one wins', async () => {
    const { refreshToken, token } = await createTestUser()
    const answers = await Promise.all(Array.from({ length: 16 }, () => refresh(refreshToken)))

    const won = answers.filter(({ status }) => status === 200)
    expect(won.length).toBeLessThanOrEqual(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(16 - won.length)
    for (const access of [token, ...won.map(({ body }) => body.token)])
      expect(await isLive(access)).toBe(false)
    for (const { body } of won) expect((await refresh(body.refreshToken)).status).toBe(401)
  })
})

describe('what is no refresh token', () => {
  it.each([
    undefined,
    '',
    'x',
    `llr_${'A'.repeat(22)}.${'A'.repeat(43)}`,
    `llr_${'A'.repeat(22)}`,
    '../../x',
  ])('is a 401: %j', async refreshToken => {
    expect(await refresh(refreshToken)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  })

  it.each([null, 1, {}, [], { $ne: null }, 'x'.repeat(201)])('is a 400: %j', async refreshToken => {
    expect((await refresh(refreshToken)).status).toBe(400)
  })

  it('is an access token, and the token of a session that is not this one', async () => {
    const [asha, ravi] = [await createTestUser(), await createTestUser()]
    const [, secret] = ravi.refreshToken.split('.')

    expect((await refresh(asha.token)).status).not.toBe(200)
    expect((await refresh(`llr_${asha.sessionId}.${secret}`)).status).toBe(401)
    expect(await isLive(ravi.token)).toBe(true)
  })
})

describe('a refresh for a user who may not be signed in any more', () => {
  it.each(['suspended', 'deleted'] as const)('is refused: %s', async status => {
    const { user, refreshToken } = await createTestUser()
    await testDatabase().db.collection('users').updateOne({ _id: user._id }, { $set: { status } })

    expect((await refresh(refreshToken)).status).toBe(401)
  })

  it('is refused after a password reset, and after the sessions were ended', async () => {
    const { user, refreshToken } = await createTestUser()
    const issued = await issueOneTimeToken(user.email, 'resetPassword', new Date())
    const body = { token: issued?.token, password: 'another good password' }
    expect((await api.post('auth/reset-password', body)).status).toBe(200)

    expect((await refresh(refreshToken)).status).toBe(401)
  })

  it('is refused where only the generation of its sessions says so', async () => {
    const { user, refreshToken } = await createTestUser()
    await testDatabase()
      .db.collection('users')
      .updateOne({ _id: user._id }, { $inc: { sessionVersion: 1 } })

    expect((await refresh(refreshToken)).status).toBe(401)
  })
})

describe('a logout', () => {
  const logout = (token: string, body?: unknown) => api.post('auth/logout', body, { token })

  it('ends this session at once, and no other', async () => {
    const { user, token, refreshToken } = await createTestUser()
    const elsewhere = (await api.post('auth/login', { email: user.email, password: TEST_PASSWORD })).body

    const { status, body } = await logout(token)

    expect([status, body]).toEqual([200, { success: true, message: 'Logged out', data: null }])
    expect(await isLive(token)).toBe(false)
    expect((await refresh(refreshToken)).status).toBe(401)
    expect((await logout(token)).status).toBe(401)
    expect(await isLive(elsewhere.token)).toBe(true)
    expect((await refresh(elsewhere.refreshToken)).status).toBe(200)
  })

  it('ends every session of the user where it says so, and nobody else’s', async () => {
    const { user, token, refreshToken } = await createTestUser()
    const ravi = await createTestUser()
    const elsewhere = (await api.post('auth/login', { email: user.email, password: TEST_PASSWORD })).body

    expect((await logout(token, { everywhere: true })).status).toBe(200)

    for (const ended of [token, elsewhere.token]) expect(await isLive(ended)).toBe(false)
    for (const ended of [refreshToken, elsewhere.refreshToken])
      expect((await refresh(ended)).status).toBe(401)
    expect(await isLive(ravi.token)).toBe(true)
    const again = (await api.post('auth/login', { email: user.email, password: TEST_PASSWORD })).body
    expect(await isLive(again.token)).toBe(true)
  })

  it('ends what a login at the same moment began, or lets it be, but never half of it', async () => {
    const { user, token } = await createTestUser()
    const [signedIn] = await Promise.all([
      api.post('auth/login', { email: user.email, password: TEST_PASSWORD }),
      logout(token, { everywhere: true }),
    ])

    const refreshed = await refresh(signedIn.body.refreshToken)
    expect(await isLive(signedIn.body.token)).toBe(refreshed.status === 200)
  })

  it.each([null, 'true', 1, { $ne: false }])('is not everywhere by accident: %j', async everywhere => {
    const { token } = await createTestUser()

    expect((await logout(token, { everywhere })).status).toBe(400)
    expect(await isLive(token)).toBe(true)
  })
})
