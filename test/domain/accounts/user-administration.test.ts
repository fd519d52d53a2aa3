import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { findSessionUser, rotateSession } from '../../../lib/domain/accounts/sessions.js'
import {
  administerUser,
  listUsers,
  UserChange,
  UserFilter,
} from '../../../lib/domain/accounts/user-administration.js'
import { findUser, users } from '../../../lib/domain/accounts/users.js'
import { emptyDatabase } from '../../support/database.js'
import { createTestUser, storedUser } from '../../support/users.js'

const NOW = new Date('2026-03-01T12:00:00Z')

const list = (filter: object = {}) => listUsers(UserFilter.parse(filter))

async function store(...overrides: Parameters<typeof storedUser>): Promise<string> {
  const user = storedUser(...overrides)
  await (await users.open()).insertOne(user)
  return user._id.toHexString()
}

beforeEach(() => emptyDatabase())

describe('the list of users', () => {
  it('has everybody once, newest first, also those of one moment and while others sign up', async () => {
    const times = Array.from({ length: 25 }, (_, i) => new Date(NOW.getTime() + Math.floor(i / 10) * 1000))
    const ids = await Promise.all(times.map(createdAt => store({ createdAt })))

    const seen: string[] = []
    for (let cursor: string | undefined, pages = 1; ; pages++) {
      const { items, nextCursor } = await list({ limit: 10, ...(cursor && { cursor }) })
      seen.push(...items.map(({ id }) => id))
      expect(items).toHaveLength(pages < 3 ? 10 : 5)
      if (nextCursor === null) break
      cursor = nextCursor
      await store({ createdAt: new Date(NOW.getTime() + 60_000) })
    }

    expect([...seen].sort()).toEqual([...ids].sort())
    const order = seen.map(id => times[ids.indexOf(id)]?.getTime() ?? 0)
    expect(order).toEqual([...order].sort((a, b) => b - a))
  })

  it('is of those with a status, of whom one of the old system has none, or an address', async () => {
    const legacy = await store({ status: undefined, role: undefined })
    const active = await store({ email: 'asha@xn--bcher-kva.example' })
    const suspended = await store({ status: 'suspended' })
    const deleted = await store({ status: 'deleted' })
    const idsOf = async (filter: object) => (await list(filter)).items.map(({ id }) => id).sort()

    expect(await idsOf({})).toEqual([legacy, active, suspended, deleted].sort())
    expect(await idsOf({ status: 'active' })).toEqual([legacy, active].sort())
    expect(await idsOf({ status: 'suspended' })).toEqual([suspended])
    expect(await idsOf({ status: 'deleted' })).toEqual([deleted])
    expect(await idsOf({ email: ' ASHA@bücher.example' })).toEqual([active])
    expect(await idsOf({ email: 'nobody@example.com' })).toEqual([])
  })

  it('shows nothing that is secret', async () => {
    const { user } = await createTestUser({
      resetPassword: { hash: 'token-hash', expiresAt: NOW },
      knownNetworks: ['network-hash'],
    })

    const { items } = await list()

    expect(items).toEqual([
      {
        id: String(user._id),
        _id: String(user._id),
        email: user.email,
        role: 'user',
        status: 'active',
        emailVerified: false,
        createdAt: user.createdAt,
        updatedAt: user.updatedAt,
      },
    ])
  })
})

describe('what an admin decides', () => {
  it.each([{ status: 'suspended' }, { role: 'admin' }, { role: 'user', status: 'active' }] as const)(
    'ends the sessions of the user: %j',
    async change => {
      const { user, sessionId, refreshToken } = await createTestUser()
      const other = await createTestUser()

      expect(await administerUser(String(user._id), change, NOW)).toMatchObject({
        email: user.email,
        ...change,
      })

      expect(await findSessionUser(String(user._id), sessionId, 0, NOW)).toBeUndefined()
      await expect(rotateSession(refreshToken, NOW)).rejects.toMatchObject({ code: 'unauthenticated' })
      expect(await findSessionUser(String(other.user._id), other.sessionId, 0, NOW)).toBeDefined()
    },
  )

  it('leaves what was not decided', async () => {
    const { user } = await createTestUser({ name: 'Asha', phone: '+911234' })
    const id = String(user._id)

    await Promise.all([
      administerUser(id, { role: 'admin' }, NOW),
      administerUser(id, { status: 'suspended' }, NOW),
    ])

    expect(await findUser(id)).toEqual({
      ...user,
      role: 'admin',
      status: 'suspended',
      sessionVersion: 2,
      updatedAt: NOW,
    })
  })

  it('is nothing for who is unknown, or has left', async () => {
    const deleted = await store({ status: 'deleted' })

    for (const id of [deleted, new ObjectId().toHexString(), 'not-an-id', 'twelve-bytes', ''])
      await expect(administerUser(id, { status: 'active' }, NOW), id).rejects.toMatchObject({
        code: 'not_found',
      })
    expect(await findUser(deleted)).toMatchObject({ status: 'deleted', sessionVersion: 0 })
  })

  it.each([{}, { status: 'deleted' }, { role: 'owner' }, { email: 'x@example.com' }])(
    'cannot be %j',
    change => expect(UserChange.safeParse(change).success).toBe(false),
  )
})
