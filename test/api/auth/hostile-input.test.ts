import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ObjectId } from 'mongodb'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ErrorBody } from '../../../lib/http/reply.js'
import type { ServedRoute } from '../../../lib/http/serve.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { call } from '../../support/request.js'
import { createTestUser, TEST_PASSWORD, type TestUser } from '../../support/users.js'
import { type AuthPost, deployAuth, mailedToken } from './auth-api.js'

/** What MongoDB would understand, where a value is expected. */
const OPERATORS = [
  { $ne: null },
  { $gt: '' },
  { $regex: '.*' },
  { $in: ['a', 'b'] },
  { $exists: true },
  { $where: 'true' },
  { $expr: { $eq: [1, 1] } },
  [{ $ne: null }],
  { $oid: '0123456789abcdef01234567' },
]

const root = join(import.meta.dirname, '../../../api')
const accountFiles = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(path =>
  /^(auth|user|users|api-keys|admin|phone-numbers)\/.*\.ts$/.test(path),
)
const served = await Promise.all(
  accountFiles.map(async path => ((await import(join(root, path))) as { default: ServedRoute }).default),
)
const declared = served.flatMap(route =>
  Object.entries(route.verbs).map(([verb, { declaration }]) => ({
    name: `${verb} ${route.path}`,
    verb,
    route,
    declaration,
  })),
)

interface JsonSchema {
  properties?: Record<string, JsonSchema>
  anyOf?: JsonSchema[]
}

/** The paths of all fields that a schema knows and that hold no further fields. */
function fieldsOf(schema: z.ZodType): string[][] {
  const walk = ({ properties = {}, anyOf = [] }: JsonSchema, at: string[]): string[][] => {
    const inner = [
      ...Object.entries(properties).flatMap(([key, property]) => walk(property, [...at, key])),
      ...anyOf.flatMap(option => (option.properties ? walk(option, at) : [])),
    ]
    return inner.length > 0 ? inner : [at]
  }
  return walk(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, [])
}

/** `['a', 'b']` and 1 as `{ a: { b: 1 } }`. */
function nested(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => ({ [key]: inner }), value)
}

const PARAMETERS: Record<string, string> = { id: new ObjectId().toHexString(), phoneNumber: '%2B14155550199' }
const pathOf = ({ path }: ServedRoute) =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => PARAMETERS[name] ?? 'x')

let user: TestUser
let admin: TestUser
const users = () => testDatabase().db.collection('users')

trackBackgroundTasks()
// Once: what is refused changes nothing.
beforeAll(async () => {
  await emptyDatabase()
  user = await createTestUser()
  admin = await createTestUser({ role: 'admin' })
})

const credentialsFor = (access: string) => (access === 'admin' ? admin : user).headers

describe.each(declared.filter(({ declaration }) => declaration.body))(
  '$name',
  ({ verb, route, declaration }) => {
    const fields = fieldsOf(declaration.body as z.ZodType)
    const headers = () => credentialsFor(declaration.access)
    const send = (body: unknown) => call<ErrorBody>(route, verb, pathOf(route), { body, headers: headers() })

    it('has fields to try', () => {
      expect(fields.map(path => path.length)).not.toContain(0)
    })

    it.each(fields.map(path => [path.join('.'), path] as const))(
      'takes no operator for %s',
      async (name, path) => {
        for (const operator of OPERATORS) {
          const { status, body } = await send(nested(path, operator))

          const isNamed = body.details?.some(({ path }) => `${path}.`.startsWith(`${name}.`))
          expect([status, isNamed], JSON.stringify(operator)).toEqual([400, true])
        }
      },
    )

    it.each([[[]], ['text'], [1], [true], [null], [[{ email: 'a@example.com' }]]])(
      'takes no %j for a body',
      async body => {
        expect((await send(body)).status).toBe(400)
      },
    )
  },
)

describe.each(declared.filter(({ declaration }) => declaration.query))(
  '$name',
  ({ verb, route, declaration }) => {
    const names = fieldsOf(declaration.query as z.ZodType).map(([name = '']) => name)
    const ask = (query: Record<string, string>) =>
      call<object>(route, verb, `${pathOf(route)}?${new URLSearchParams(query)}`, {
        headers: credentialsFor(declaration.access),
      })

    it('finds no more by an operator than without', async () => {
      const said = async (query: Record<string, string>) => ({
        ...(await ask(query)).body,
        requestId: undefined,
      })
      const without = await said({})
      for (const name of names)
        for (const operator of ['$ne', '$gt', '$regex'])
          expect(await said({ [`${name}[${operator}]`]: 'x' })).toEqual(without)
    })

    it.each(names)('takes no JSON for more than a text: %s', async name => {
      const { status, text } = await ask({ [name]: '{"$ne":null}' })

      if (status !== 400) expect(text).toBe((await ask({})).text)
    })
  },
)

describe('what a request says of its user', () => {
  const DEMANDED = {
    _id: new ObjectId().toHexString(),
    id: 'mine',
    role: 'admin',
    plan: 'enterprise',
    status: 'active',
    isAdmin: true,
    emailVerifiedAt: '2020-01-01T00:00:00Z',
    emailVerified: true,
    sessionVersion: 99,
    passwordHash: 'x',
    knownNetworks: ['x'],
    createdAt: '2020-01-01T00:00:00Z',
    subscription: { plan: 'enterprise' },
    $set: { role: 'admin' },
    'profile.role': 'admin',
    constructor: { prototype: { role: 'admin' } },
  }

  /** Every field that is nobody's to set, beside what the route asks for. */
  const demanding = (body: object) =>
    `{"__proto__":{"role":"admin"},${JSON.stringify({ ...DEMANDED, ...body }).slice(1)}`

  const KNOWN = ['_id', 'email', 'passwordHash', 'role', 'status', 'sessionVersion', 'createdAt', 'updatedAt']
  let post: (route: AuthPost, body: object, token?: string) => Promise<{ status: number }>

  beforeAll(async () => {
    const api = await deployAuth()
    post = (route, body, token) => api.post(route, demanding(body), token === undefined ? {} : { token })
  })

  it.each(['auth/register', 'auth/signup'] as const)('is not what it becomes: %s', async route => {
    const email = `eve-${route.slice(5)}@example.com`
    expect((await post(route, { email, password: 'a good password' })).status).toBe(201)

    expect(await mailedToken(email)).not.toBe('')
    const eve = await users().findOne({ email })
    expect(eve).toMatchObject({ role: 'user', status: 'active', sessionVersion: 0 })
    expect(Object.keys(eve ?? {}).sort()).toEqual([...KNOWN, 'verifyEmail'].sort())
    expect(eve?._id.toHexString()).not.toBe(DEMANDED._id)
    expect(eve?.createdAt.getTime()).toBeGreaterThan(Date.now() - 60_000)
  })

  it('changes nothing but what the route is for', async () => {
    const { email } = user.user
    const before = await users().findOne({ _id: user.user._id })
    const changed = async () => {
      const after = await users().findOne({ _id: user.user._id })
      const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
      return names.filter(name => JSON.stringify(after?.[name]) !== JSON.stringify(before?.[name])).sort()
    }

    expect((await post('auth/login', { email, password: TEST_PASSWORD })).status).toBe(200)
    expect((await post('users/auth', { username: email, password: TEST_PASSWORD })).status).toBe(200)
    expect((await post('auth/refresh', { refreshToken: user.refreshToken })).status).toBe(200)
    expect(await changed()).toEqual(['knownNetworks', 'lastLoginAt'])
    expect((await post('auth/resend-verification', { email })).status).toBe(200)
    const token = await mailedToken(email)
    expect((await post('auth/verify-email', { token })).status).toBe(200)
    expect(await changed()).toEqual(['emailVerifiedAt', 'knownNetworks', 'lastLoginAt', 'updatedAt'])
    expect((await post('auth/logout', {}, user.token)).status).toBe(200)
    expect((await post('auth/forgot-password', { email })).status).toBe(200)
    const reset = { token: await mailedToken(email), password: 'another good password' }
    expect((await post('auth/reset-password', reset)).status).toBe(200)
    await backgroundTasksDone()
    expect(await changed()).toEqual([
      'emailVerifiedAt',
      'knownNetworks',
      'lastLoginAt',
      'passwordHash',
      'sessionVersion',
      'updatedAt',
    ])
    const after = await users().findOne({ _id: user.user._id })
    expect(after).toMatchObject({ role: 'user', status: 'active', sessionVersion: 1 })
    expect(after?.emailVerifiedAt.getTime()).toBeGreaterThan(Date.now() - 60_000)
  })
})
