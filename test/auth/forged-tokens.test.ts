import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CompactEncrypt, decodeJwt, decodeProtectedHeader, type JWTHeaderParameters, SignJWT } from 'jose'
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import meRoute from '../../api/auth/me.js'
import { emptyDatabase } from '../support/database.js'
import { call } from '../support/request.js'
import { createTestUser, type TestUser } from '../support/users.js'

const secretOf = (text = '') => new TextEncoder().encode(text)
const SECRET = secretOf(process.env.AUTH_SECRET)
const OTHER_SECRET = secretOf('another-secret-'.padEnd(64, '1'))

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const me = (token: string) => call<{ code?: string }>(meRoute, 'GET', '/api/auth/me', { token })

let asha: TestUser
let other: TestUser

beforeAll(() => emptyDatabase())

beforeEach(async () => {
  asha = await createTestUser()
  other = await createTestUser()
})

/** The user's own token with something of it replaced, and signed with what the test says. */
function forge(
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key: Uint8Array | KeyObject = SECRET,
): Promise<string> {
  const kept = Object.entries({ ...decodeJwt(asha.token), ...claims }).filter(([, value]) => value !== null)
  const headers = { ...decodeProtectedHeader(asha.token), ...header } as unknown as JWTHeaderParameters
  return new SignJWT(Object.fromEntries(kept)).setProtectedHeader(headers).sign(key)
}

async function expectRefused(token: string) {
  expect(await me(token)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
}

const now = () => Math.floor(Date.now() / 1000)
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

it('lets in the forger’s own copy of a good token, so that each refusal below has the one reason', async () => {
  expect((await me(await forge())).status).toBe(200)
})

describe('an algorithm that is not ours', () => {
  it.each(['none', 'None', 'NONE', ''])('is refused: %j', async alg => {
    const [, payload, signature] = asha.token.split('.')
    const header = encode({ ...decodeProtectedHeader(asha.token), alg })

    await expectRefused(`${header}.${payload}.`)
    await expectRefused(`${header}.${payload}.${signature}`)
  })

  it.each(['HS384', 'HS512'])('is refused, though it is signed with our secret: %s', async alg => {
    await expectRefused(await forge({}, { alg }))
  })

  it('is refused where it is a public key’s, with or without the key in the token', async () => {
    await expectRefused(await forge({}, { alg: 'RS256' }, privateKey))
    await expectRefused(
      await forge({}, { alg: 'RS256', jwk: publicKey.export({ format: 'jwk' }) }, privateKey),
    )
    await expectRefused(await forge({}, { alg: 'RS256', jku: 'http://127.0.0.1:9/keys.json' }, privateKey))
  })

  it('does not let a public key pass for a secret', async () => {
    for (const type of ['spki', 'pkcs1'] as const) {
      const pem = publicKey.export({ format: 'pem', type }).toString()
      await expectRefused(await forge({}, {}, secretOf(pem)))
    }
  })

  it('is refused where it encrypts', async () => {
    const { kid } = decodeProtectedHeader(asha.token)
    const token = await new CompactEncrypt(secretOf(JSON.stringify(decodeJwt(asha.token))))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...(kid !== undefined && { kid }) })
      .encrypt(SECRET.subarray(0, 32))

    await expectRefused(token)
  })
})

describe('a key that is not ours', () => {
  it.each([
    ['under our key id', {}],
    ['under its own', { kid: 'other' }],
    ['without an id', { kid: undefined }],
  ])('is refused %s', async (_, header) => {
    await expectRefused(await forge({}, header, OTHER_SECRET))
  })

  it.each([undefined, '', 'unknown', '../../dev/null', null, 0, ['x'], { $ne: '' }, '__proto__'])(
    'is not found by an unknown id, though our secret signed: %j',
    async kid => {
      await expectRefused(await forge({}, { kid }))
    },
  )
})

describe('claims that are not ours', () => {
  it.each<[string, Record<string, unknown>]>([
    ['another audience', { aud: 'another-api' }],
    ['no audience', { aud: null }],
    ['an audience that only starts like ours', { aud: 'leadline-api-other' }],
    ['another issuer', { iss: 'https://issuer.example' }],
    ['no issuer', { iss: null }],
    ['the end of its life a second ago', { exp: now() - 1 }],
    ['no end', { exp: null }],
    ['an end that is no number', { exp: '9999999999' }],
    ['a beginning in the future', { nbf: now() + 600 }],
    ['no user', { sub: null }],
    ['a user that is none', { sub: 'admin' }],
    ['no session', { sid: null }],
    ['an unknown session', { sid: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    ['an operator for a session', { sid: { $ne: null } }],
    ['no generation', { ver: null }],
    ['another generation', { ver: 1 }],
    ['a generation that is no number', { ver: '0' }],
  ])('are refused: %s', async (_, claims) => {
    await expectRefused(await forge(claims))
  })

  it('are refused where user and session are not each other’s', async () => {
    await expectRefused(await forge({ sub: other.user._id.toHexString() }))
    await expectRefused(await forge({ sid: other.sessionId }))
  })
})

describe('a token that was tampered with', () => {
  it.each<[string, (header: string, payload: string, signature: string) => string]>([
    ['another user', (h, p, s) => `${h}.${encode({ ...read(p), sub: other.user._id.toHexString() })}.${s}`],
    ['a role', (h, p, s) => `${h}.${encode({ ...read(p), role: 'admin' })}.${s}`],
    ['a longer life', (h, p, s) => `${h}.${encode({ ...read(p), exp: now() + 10 ** 8 })}.${s}`],
    ['another header', (h, p, s) => `${encode({ ...read(h), typ: 'at+jwt' })}.${p}.${s}`],
    ['another signature', (h, p, s) => `${h}.${p}.${s.startsWith('A') ? 'B' : 'A'}${s.slice(1)}`],
    ['half a signature', (h, p, s) => `${h}.${p}.${s.slice(0, 20)}`],
    ['no signature', (h, p) => `${h}.${p}.`],
    ['two parts', (h, p) => `${h}.${p}`],
    ['four parts', (h, p, s) => `${h}.${p}.${s}.${s}`],
    ['another’s signature', (h, p) => `${h}.${p}.${other.token.split('.')[2]}`],
    ['no JSON', (h, _, s) => `${h}.${Buffer.from('{').toString('base64url')}.${s}`],
    ['parts that are no base64', () => 'ä.ö.ü'],
    [
      'an extension it says is critical',
      (h, p, s) => `${encode({ ...read(h), crit: ['x'], x: 1 })}.${p}.${s}`,
    ],
  ])('is refused: %s', async (_, tamper) => {
    const [header = '', payload = '', signature = ''] = asha.token.split('.')

    await expectRefused(encodeURI(tamper(header, payload, signature)))
  })

  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
})

it('takes no refresh token for an access token', async () => {
  await expectRefused(asha.refreshToken)
})

describe('a secret that was replaced', () => {
  const [old, current] = ['old-secret-'.padEnd(40, 'o'), 'new-secret-'.padEnd(40, 'n')]

  /** Tokens and the route that takes them, in a deployment with these secrets. */
  async function deploy(secrets: { AUTH_SECRET: string; AUTH_SECRET_PREVIOUS: string }) {
    for (const [name, value] of Object.entries(secrets)) vi.stubEnv(name, value)
    vi.resetModules()
    const [{ default: route }, testUsers] = await Promise.all([
      import('../../api/auth/me.js'),
      import('../support/users.js'),
    ])
    const status = async (token: string) => (await call(route, 'GET', '/api/auth/me', { token })).status
    return { status, signIn: testUsers.createTestUser }
  }

  it('verifies the tokens of its time and signs none, until it is gone', async () => {
    const before = await deploy({ AUTH_SECRET: old, AUTH_SECRET_PREVIOUS: '' })
    const { token: oldToken } = await before.signIn()
    expect(await before.status(oldToken)).toBe(200)

    const rotated = await deploy({ AUTH_SECRET: current, AUTH_SECRET_PREVIOUS: old })
    const { token: newToken } = await rotated.signIn()
    expect(await rotated.status(oldToken)).toBe(200)
    expect(await rotated.status(newToken)).toBe(200)
    expect(decodeProtectedHeader(newToken).kid).not.toBe(decodeProtectedHeader(oldToken).kid)

    const after = await deploy({ AUTH_SECRET: current, AUTH_SECRET_PREVIOUS: '' })
    expect(await after.status(newToken)).toBe(200)
    expect(await after.status(oldToken)).toBe(401)
  })

  it('lets nobody in where there is none at all', async () => {
    const { token } = await createTestUser()
    const without = await deploy({ AUTH_SECRET: '', AUTH_SECRET_PREVIOUS: '' })

    expect(await without.status(token)).toBe(401)
    await expect(without.signIn()).rejects.toMatchObject({ code: 'not_configured' })
    const unfinished = await deploy({ AUTH_SECRET: '', AUTH_SECRET_PREVIOUS: old })
    await expect(unfinished.signIn()).rejects.toMatchObject({ code: 'not_configured' })
  })

  it('is not told by its id', async () => {
    const { kid } = decodeProtectedHeader((await createTestUser()).token)

    expect(kid).toMatch(/^[\w-]{8}$/)
    expect(process.env.AUTH_SECRET).not.toContain(kid)
  })
})
