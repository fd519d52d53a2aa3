import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { type AuthApi, deployAuth, mailedToken } from './auth-api.js'

let api: AuthApi

trackBackgroundTasks()
beforeAll(async () => {
  api = await deployAuth()
})
beforeEach(() => emptyDatabase())

const password = 'a good password'
const register = (email: unknown) => api.post('auth/register', { email, password })

describe('spellings that a person cannot tell apart', () => {
  it.each([
    ['case', 'asha@example.com', 'Asha@EXAMPLE.com'],
    ['blanks around', 'asha@example.com', '  asha@example.com\n'],
    ['a no-break space behind', 'asha@example.com', 'asha@example.com\u00a0'],
    ['full width', 'asha@example.com', 'ａｓｈａ＠ｅｘａｍｐｌｅ．ｃｏｍ'],
    ['a Kelvin sign', 'kelvin@example.com', '\u212Aelvin@example.com'],
    ['a long s', 'sam@example.com', 'ſam@example.com'],
    ['a ligature', 'office@example.com', 'oﬃce@example.com'],
    ['an ideographic full stop', 'asha@example.com', 'asha@example。com'],
    ['a soft hyphen in the domain', 'asha@example.com', 'asha@exam\u00adple.com'],
    ['a domain in Unicode', 'asha@xn--bcher-kva.example', 'asha@BÜCHER.example'],
    ['a decomposed domain', 'asha@xn--bcher-kva.example', 'asha@bu\u0308cher.example'],
    ['a top-level domain in Unicode', 'asha@xn--p1b6ci4b4b3a.xn--h2brj9c', 'asha@उदाहरण.भारत'],
  ])('are one account: %s', async (_, stored, spelling) => {
    const first = await register(spelling)
    expect([first.status, first.body.user?.email]).toEqual([201, stored])

    for (const email of [spelling, stored, stored.toUpperCase()]) {
      expect((await register(email)).status, email).toBe(409)
      expect((await api.post('auth/login', { email, password })).status, email).toBe(200)
    }
    expect((await api.post('users/auth', { username: spelling, password })).status).toBe(200)
    expect((await api.post('auth/forgot-password', { email: spelling })).status).toBe(200)
    expect(await mailedToken(stored)).not.toBe('')
    expect(await testDatabase().db.collection('users').countDocuments()).toBe(1)
  })

  it('are two accounts where a person can', async () => {
    for (const email of [
      'asha@example.com',
      'asha+crm@example.com',
      'as.ha@example.com',
      'asha@mail.example.com',
    ])
      expect((await register(email)).status, email).toBe(201)
  })
})

describe('what is not an address', () => {
  it.each([
    '',
    'asha',
    '@example.com',
    'asha@',
    'asha@localhost',
    'asha@127.0.0.1',
    'asha@[::1]',
    'asha@example.com.',
    'asha@@example.com',
    'asha@other@example.com',
    'asha@example..com',
    'asha@-example.com',
    'asha@example.com:25',
    // A URL parser would read each of these as example.com.
    'asha@example.com/path',
    'asha@example.com?subject=x',
    'asha@example.com#x',
    'asha@example.com\\x',
    'asha@ex%61mple.com',
    'asha@exam\tple.com',
    'asha@example.com\nb',
    'asha@example.com\r\nBcc: eve@evil.example',
    'asha\r\nBcc: eve@evil.example',
    'asha@example.com,eve@evil.example',
    'Asha <asha@example.com>',
    '"a b"@example.com',
    'asha \u200b@example.com',
    'asha@example.com\0',
    'аsha@example.com',
    'deleted:0123456789abcdef01234567',
    `${'a'.repeat(65)}@example.com`,
    `${'a'.repeat(60)}@${'b'.repeat(190)}.example`,
    `asha@${'\u{FDFA}'.repeat(14)}.example`,
  ])('is refused by name: %j', async email => {
    for (const answer of [
      await register(email),
      await api.post('auth/login', { email, password }),
      await api.post('auth/forgot-password', { email }),
      await api.post('auth/resend-verification', { email }),
    ])
      expect(answer).toMatchObject({ status: 400, body: { details: [{ path: 'email' }] } })
    expect(await testDatabase().db.collection('mailoutbox').countDocuments()).toBe(0)
  })
})
