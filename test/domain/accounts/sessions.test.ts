import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import {
  endAllSessions,
  endSession,
  findSessionUser,
  rotateSession,
  Session,
  startSession,
} from '../../../lib/domain/accounts/sessions.js'
import { type User, users } from '../../../lib/domain/accounts/users.js'
import { AppError } from '../../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { storedUser } from '../../support/users.js'

const DAY_MS = 24 * 60 * 60 * 1000

/** Not in the past, where the database would forget at once. */
const start = Date.now()
const later = (days: number) => new Date(start + days * DAY_MS)

const documents = () => testDatabase().db.collection('refreshtokens').find().toArray()

async function storeUser(overrides: Partial<User> = {}): Promise<User> {
  const user = storedUser(overrides)
  await (await users.openGuarded()).insertOne(user)
  return user
}

const rotate = async (token: string, days = 0) =>
  rotateSession(token, later(days)).then(
    ({ refreshToken }) => refreshToken,
    ({ code }: { code: string }) => code,
  )

const isLive = async ({ session, user }: { session: Session; user: User }, days = 0) => {
  const id = user._id.toHexString()
  return (await findSessionUser(id, session._id, session.sessionVersion, later(days))) !== undefined
}

beforeEach(() => emptyDatabase())

describe('a session', () => {
  it('is one document, with a hash and nothing that could be presented', async () => {
    const user = await storeUser({ sessionVersion: 3 })
    const { session, refreshToken } = await startSession(user, later(0))

    const [document] = await documents()
    expect(Session.parse(document)).toEqual(session)
    expect(session).toMatchObject({ userId: user._id, sessionVersion: 3, expiresAt: later(30) })
    const [family, secret = ''] = refreshToken.replace('llr_', '').split('.')
    expect(family).toBe(session._id)
    expect(JSON.stringify(document)).not.toContain(secret)
  })

  it('is another one for every login', async () => {
    const user = await storeUser()
    const started = await Promise.all(Array.from({ length: 20 }, () => startSession(user, later(0))))

    expect(new Set(started.map(({ refreshToken }) => refreshToken)).size).toBe(20)
    expect(new Set(started.map(({ session }) => session._id)).size).toBe(20)
  })

  it('ends after thirty days without a refresh, and goes on with each', async () => {
    const user = await storeUser()
    const { session, refreshToken } = await startSession(user, later(0))
    expect(await isLive({ session, user }, 29.9)).toBe(true)
    expect(await isLive({ session, user }, 30)).toBe(false)

    const second = await rotate(refreshToken, 29)
    expect(second).toMatch(/^llr_/)
    expect(await isLive({ session, user }, 58)).toBe(true)
    expect(await isLive({ session, user }, 59)).toBe(false)
    expect(await rotate(second, 59)).toBe('unauthenticated')
  })

  it('is its user’s only, and of its generation', async () => {
    const user = await storeUser()
    const other = await storeUser()
    const { session } = await startSession(user, later(0))
    const found = (id: string, version = 0) => findSessionUser(id, session._id, version, later(0))

    expect(await found(user._id.toHexString())).toMatchObject({ email: user.email })
    expect(await found(other._id.toHexString())).toBeUndefined()
    expect(await found(new ObjectId().toHexString())).toBeUndefined()
    expect(await found('nobody')).toBeUndefined()
    expect(await found(user._id.toHexString(), 1)).toBeUndefined()
  })

  it('is in force only while its user is', async () => {
    for (const status of ['suspended', 'deleted'] as const) {
      const user = await storeUser({ status })
      const { session, refreshToken } = await startSession(user, later(0))

      expect(await isLive({ session, user })).toBe(false)
      expect(await rotate(refreshToken)).toBe('unauthenticated')
    }
  })

  it('is in force for a user of the old system, who has neither status nor generation', async () => {
    const user = await storeUser({ status: undefined, sessionVersion: undefined })
    const { session, refreshToken } = await startSession(user, later(0))

    expect(await isLive({ session, user })).toBe(true)
    expect(await rotate(refreshToken)).toMatch(/^llr_/)
  })
})

describe('a rotation', () => {
  it('is won once by sixteen at once, and then the family is over', async () => {
    const user = await storeUser()
    const { session, refreshToken } = await startSession(user, later(0))

    const outcomes = await Promise.all(Array.from({ length: 16 }, () => rotate(refreshToken)))

    const won = outcomes.filter(outcome => outcome.startsWith('llr_'))
    expect(won.length).toBeLessThanOrEqual(1)
    for (const token of [refreshToken, ...won]) expect(await rotate(token)).toBe('unauthenticated')
    expect(await isLive({ session, user })).toBe(false)
    expect(await documents()).toEqual([])
  })

  it('that fails has used nothing up: its client asks again', async () => {
    const user = await storeUser()
    const { refreshToken } = await startSession(user, later(0))
    vi.spyOn(users, 'open').mockRejectedValueOnce(new AppError('unavailable'))

    expect(await rotate(refreshToken)).toBe('unavailable')
    expect(await rotate(refreshToken)).toMatch(/^llr_/)
  })

  it('ends the family for a made-up token of it, and none for one of no family', async () => {
    const user = await storeUser()
    const { session, refreshToken } = await startSession(user, later(0))

    expect(await rotate(`llr_${'A'.repeat(22)}.${'A'.repeat(43)}`)).toBe('unauthenticated')
    expect(await rotate(refreshToken.slice(0, -1))).toBe('unauthenticated')
    expect(await isLive({ session, user })).toBe(true)

    expect(await rotate(`llr_${session._id}.${'A'.repeat(43)}`)).toBe('unauthenticated')
    expect(await isLive({ session, user })).toBe(false)
  })
})

describe('the end', () => {
  it('of one session leaves the others', async () => {
    const user = await storeUser()
    const [first, second] = [await startSession(user, later(0)), await startSession(user, later(0))]
    await endSession(first.session._id)

    expect(await isLive({ ...first, user })).toBe(false)
    expect(await isLive({ ...second, user })).toBe(true)
  })

  it('of all sessions is the user’s generation, so that one which escapes the tidying up is over too', async () => {
    const user = await storeUser()
    const other = await storeUser()
    const [own, others] = [await startSession(user, later(0)), await startSession(other, later(0))]
    await endAllSessions(user._id, later(0))
    // As a login that read its user before, and stored its session after.
    const late = await startSession(user, later(0))

    for (const ended of [own, late]) expect(await isLive({ ...ended, user })).toBe(false)
    expect(await rotate(late.refreshToken)).toBe('unauthenticated')
    expect(await isLive({ ...others, user: other })).toBe(true)
    expect((await documents()).map(({ _id }) => _id)).not.toContain(own.session._id)
  })
})
