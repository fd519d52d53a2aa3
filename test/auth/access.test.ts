import { beforeAll, describe, expect, it } from 'vitest'
import type { Access, Scope } from '../../lib/auth/caller.js'
import { createApiKey, revokeApiKey, Scope as ScopeSchema } from '../../lib/domain/accounts/api-keys.js'
import { endSession } from '../../lib/domain/accounts/sessions.js'
import { administerUser } from '../../lib/domain/accounts/user-administration.js'
import { issueOneTimeToken, users } from '../../lib/domain/accounts/users.js'
import type { Route } from '../../lib/http/route.js'
import type { ServedRoute } from '../../lib/http/serve.js'
import { emptyDatabase } from '../support/database.js'
import { declaredVerbs } from '../support/declared-routes.js'
import { EVERY_FEATURE } from '../support/fixtures/environment.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

Object.assign(process.env, EVERY_FEATURE)

/** Everybody who may knock: what a request of theirs carries. */
const callers = {
  'nobody at all': nothing,
  'an old dashboard with its widget key': () => bearer('widget-key-123'),
  'a user': async () => (await createTestUser()).headers,
  'a user of the old system': async () =>
    (await createTestUser({ role: undefined, status: undefined, sessionVersion: undefined })).headers,
  'an admin': async () => (await createTestUser({ role: 'admin' })).headers,
  'the bootstrap token': () => bearer(adminToken()),
  'the cron': () => bearer(EVERY_FEATURE.CRON_SECRET),
  'a key with every scope': () => keyHeaders(ScopeSchema.options),
  'a key of a user': async () => keyHeaders(ScopeSchema.options, (await createTestUser()).user._id),
  'a revoked key': revokedKey,
  'an expired key': () => keyHeaders(ScopeSchema.options, undefined, new Date(Date.now() - 1)),
  'a key of a suspended user': () => keyOf('suspended'),
  'a key of a deleted user': () => keyOf('deleted'),
  'an expired token': async () => (await createTestUser({ tokenTtlSeconds: -1 })).headers,
  'a token after logout': loggedOut,
  'a token after suspension': async () => suspended('user'),
  'an admin’s token after suspension': async () => suspended('admin'),
  'a token after deletion': deleted,
  'a token after a password reset': reset,
  'an admin’s token after demotion': demoted,
} satisfies Record<string, () => HeadersOf | Promise<HeadersOf>>

type HeadersOf = Record<string, string>
type CallerName = keyof typeof callers

const USERS: CallerName[] = ['a user', 'a user of the old system']
const ADMINS: CallerName[] = ['an admin', 'the bootstrap token']
const KEYS: CallerName[] = ['a key with every scope', 'a key of a user']
const VALID: CallerName[] = [...USERS, ...ADMINS, ...KEYS, 'the cron']
const EVERYBODY = Object.keys(callers) as CallerName[]

/** Who gets in. Of the others those with valid credentials are told 403, and the rest 401. */
const admitted: Record<Access, (scope: Scope | undefined) => CallerName[]> = {
  public: () => EVERYBODY,
  anyone: () => EVERYBODY,
  // An admin's account has a profile of its own; the bootstrap token is nobody's.
  user: () => [...USERS, 'an admin'],
  account: () => [...USERS, ...ADMINS],
  operator: scope => [...USERS, ...ADMINS, ...(scope === undefined ? [] : KEYS)],
  service: scope => [...ADMINS, ...(scope === undefined ? [] : (['a key with every scope'] as const))],
  admin: () => ADMINS,
  cron: () => [...ADMINS, 'the cron'],
}

beforeAll(emptyDatabase)

it('knows a route of each kind of access', () => {
  const used = new Set(declaredVerbs.map(({ declaration }) => declaration.access))

  expect([...used].sort()).toEqual(Object.keys(admitted).sort())
})

describe.each(declaredVerbs)('$name', ({ verb, route, declaration }) => {
  const { access, scope } = declaration

  it(`is for ${access}${scope ? ` and keys that may ${scope}` : ''}`, async () => {
    const outcomes = await Promise.all(
      EVERYBODY.map(async name => [
        name,
        outcomeOf(await knock(verb, route, declaration, await callers[name]())),
      ]),
    )

    const mayEnter = admitted[access](scope)
    const expected = EVERYBODY.map(name => [
      name,
      mayEnter.includes(name) ? 'in' : VALID.includes(name) ? 403 : 401,
    ])
    expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(expected))
  })
})

describe.each(declaredVerbs.filter(({ declaration }) => declaration.scope))(
  '$name',
  ({ verb, route, declaration }) => {
    it('takes no key that may everything but that', async () => {
      const scopes = ScopeSchema.options.filter(scope => scope !== declaration.scope)

      expect((await knock(verb, route, declaration, await keyHeaders(scopes))).status).toBe(403)
    })
  },
)

/** A request that gets no further than its body, where the route has one, so that nobody who is let in does harm. */
function knock(verb: string, route: ServedRoute, declaration: Route['declaration'], headers: HeadersOf) {
  const path = route.path.replaceAll(/:(\w+)/g, (_, name: string) => PARAMETERS[name] ?? 'unknown')
  return call(route, verb, path, { headers, ...(declaration.body && { body: '{' }) })
}

const PARAMETERS: Record<string, string> = { id: '0'.repeat(24), phoneNumber: '%2B14155550199' }

/** 401 and 403 are what the door says; whatever else the route says is said inside. */
function outcomeOf({ status }: { status: number }): number | 'in' {
  return status === 401 || status === 403 || status >= 500 ? status : 'in'
}

function nothing(): HeadersOf {
  return {}
}

function bearer(token: string): HeadersOf {
  return { authorization: `Bearer ${token}` }
}

async function keyHeaders(
  scopes: Scope[],
  ownerId?: Parameters<typeof createApiKey>[1],
  expiresAt?: Date,
): Promise<HeadersOf> {
  const input = { scopes, ...(expiresAt && { expiresAt: expiresAt.toISOString() }) }
  // Made a minute ago, so that it may have ended since.
  return { 'x-api-key': (await createApiKey(input, ownerId, new Date(Date.now() - 60_000))).key }
}

async function revokedKey(): Promise<HeadersOf> {
  const { key, apiKey } = await createApiKey({ scopes: ScopeSchema.options }, undefined, new Date())
  await revokeApiKey(apiKey.id, undefined, new Date())
  return { 'x-api-key': key }
}

async function keyOf(status: 'suspended' | 'deleted'): Promise<HeadersOf> {
  const { user } = await createTestUser()
  const headers = await keyHeaders(ScopeSchema.options, user._id)
  await (await users.open()).updateOne({ _id: user._id }, { $set: { status } })
  return headers
}

async function loggedOut(): Promise<HeadersOf> {
  const { headers, sessionId } = await createTestUser()
  await endSession(sessionId)
  return headers
}

async function suspended(role: 'user' | 'admin'): Promise<HeadersOf> {
  const { headers, user } = await createTestUser({ role })
  await administerUser(user._id.toHexString(), { status: 'suspended' }, new Date())
  return headers
}

/** As an erasure leaves it when it is interrupted: the status is all that says so. */
async function deleted(): Promise<HeadersOf> {
  const { headers, user } = await createTestUser()
  await (await users.open()).updateOne({ _id: user._id }, { $set: { status: 'deleted' } })
  return headers
}

async function reset(): Promise<HeadersOf> {
  const { headers, user } = await createTestUser()
  const issued = await issueOneTimeToken(user.email, 'resetPassword', new Date())
  const { default: resetRoute } = await import('../../api/auth/reset-password.js')
  const body = { token: issued?.token, password: 'another good password' }
  const { status } = await call(resetRoute, 'POST', '/api/auth/reset-password', { body })
  expect(status).toBe(200)
  return headers
}

async function demoted(): Promise<HeadersOf> {
  const { headers, user } = await createTestUser({ role: 'admin' })
  await administerUser(user._id.toHexString(), { role: 'user' }, new Date())
  return headers
}
