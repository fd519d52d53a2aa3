import { beforeEach, describe, expect, it } from 'vitest'
import userRoute from '../../../api/admin/users/[id].js'
import usersRoute from '../../../api/admin/users/index.js'
import loginRoute from '../../../api/auth/login.js'
import meRoute from '../../../api/auth/me.js'
import refreshRoute from '../../../api/auth/refresh.js'
import leadsRoute from '../../../api/leads/index.js'
import type { PublicUser } from '../../../lib/domain/accounts/users.js'
import type { ErrorBody } from '../../../lib/http/reply.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { adminToken, type CallOptions, call } from '../../support/request.js'
import { createTestUser, type TestUser } from '../../support/users.js'

interface Page {
  data: { items: Wire<PublicUser>[]; nextCursor: string | null }
}

let admin: TestUser

const list = (query = '', options: CallOptions = { token: admin.token }) =>
  call<Page>(usersRoute, 'GET', `/api/admin/users${query}`, options)
const change = (id: unknown, body: unknown, options: CallOptions = { token: admin.token }) =>
  call<{ data: Wire<PublicUser> }>(userRoute, 'PATCH', `/api/admin/users/${id}`, { ...options, body })
const login = <T = { token: string } & ErrorBody>(email: string, password: string) =>
  call<T>(loginRoute, 'POST', '/api/auth/login', { body: { email, password } })
const me = ({ token }: { token: string }) => call(meRoute, 'GET', '/api/auth/me', { token })

beforeEach(async () => {
  await emptyDatabase()
  admin = await createTestUser({ role: 'admin' })
})

describe('the list of users', () => {
  it('is paginated, for admins', async () => {
    const users = [await createTestUser(), await createTestUser({ status: 'suspended' }), admin]

    const first = await list('?limit=2')
    const second = await list(`?limit=2&cursor=${first.body.data.nextCursor}`, { token: adminToken() })

    expect(first.body.data.items).toHaveLength(2)
    expect(second.body.data).toMatchObject({ items: [{}], nextCursor: null })
    const listed = [first, second].flatMap(({ body }) => body.data.items.map(({ id }) => id))
    expect(listed.sort()).toEqual(users.map(({ user }) => String(user._id)).sort())
    expect(first.text + second.text).not.toMatch(/hash|sessionVersion|\$2[aby]\$/i)
    expect((await list('?status=suspended')).body.data.items).toMatchObject([{ status: 'suspended' }])
  })

  it.each(['?limit=0', '?limit=201', '?cursor=x', '?status=gone', '?email=x', '?email[$ne]=x&limit=x'])(
    'is refused for %s',
    async query => expect((await list(query)).status).toBe(400),
  )

  it('is closed to users, and to nobody', async () => {
    const { token, user } = await createTestUser()

    expect((await list('', { token })).status).toBe(403)
    expect((await list('', {})).status).toBe(401)
    for (const options of [{ token }, {}])
      expect((await change(user._id, { role: 'admin' }, options)).status).toBe('token' in options ? 403 : 401)
    expect(await testDatabase().db.collection('users').findOne({ _id: user._id })).toMatchObject({
      role: 'user',
    })
  })
})

describe('a suspension', () => {
  it('ends sessions at once, and a login is then refused like a wrong password', async () => {
    const asha = await createTestUser()
    const { email } = asha.user
    expect((await me(asha)).status).toBe(200)

    const suspended = await change(asha.user._id, { status: 'suspended' })

    expect(suspended).toMatchObject({
      status: 200,
      body: { success: true, data: { email, status: 'suspended' } },
    })
    expect((await me(asha)).status).toBe(401)
    const refresh = { body: { refreshToken: asha.refreshToken } }
    expect((await call(refreshRoute, 'POST', '/api/auth/refresh', refresh)).status).toBe(401)
    const [right, wrong] = [await login(email, asha.password), await login(email, 'wrong password')]
    expect(right.status).toBe(401)
    expect({ ...right.body, requestId: '' }).toEqual({ ...wrong.body, requestId: '' })

    await change(asha.user._id, { status: 'active' })
    expect((await me(asha)).status).toBe(401)
    const back = await login(email, asha.password)
    expect(back.status).toBe(200)
    expect((await me(back.body)).status).toBe(200)
  })
})

describe('a role', () => {
  it('is in force with the next login, and an admin’s account works where operators work', async () => {
    const asha = await createTestUser()
    const leads = ({ token }: { token: string }) => call(leadsRoute, 'GET', '/api/leads', { token })
    await testDatabase().db.collection('leads').insertOne({
      microsite: 'a',
      createdAt: new Date(),
      status: 'new',
      quarantined: false,
      conversation: [],
    })
    expect((await leads(asha)).body).toMatchObject({ items: [] })

    await change(asha.user._id, { role: 'admin' })

    expect((await leads(asha)).status).toBe(401)
    const { body: promoted } = await login(asha.user.email, asha.password)
    expect((await leads(promoted)).body).toMatchObject({ items: [{ microsite: 'a' }] })
    expect((await list('', promoted)).status).toBe(200)

    await change(asha.user._id, { role: 'user' })
    expect((await list('', promoted)).status).toBe(401)
    const { body: demoted } = await login(asha.user.email, asha.password)
    expect((await list('', demoted)).status).toBe(403)
  })

  it('and a status are all that can be changed', async () => {
    const { user } = await createTestUser()
    const before = await testDatabase().db.collection('users').findOne({ _id: user._id })

    const changed = await change(user._id, {
      role: 'user',
      email: 'other@example.com',
      passwordHash: 'x',
      emailVerifiedAt: '2026-01-01',
      $set: { role: 'admin' },
    })

    expect(changed.status).toBe(200)
    expect(await testDatabase().db.collection('users').findOne({ _id: user._id })).toEqual({
      ...before,
      sessionVersion: 1,
      updatedAt: expect.any(Date),
    })
  })

  it.each([{}, { status: 'deleted' }, { role: 'root' }, { role: { $ne: 'user' } }, [], undefined])(
    'cannot be %j',
    async body => expect((await change(admin.user._id, body)).status).toBe(400),
  )

  it('cannot be given to who is not there', async () => {
    for (const id of ['000000000000000000000000', 'x', '%24ne'])
      expect(await change(id, { role: 'admin' })).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})
