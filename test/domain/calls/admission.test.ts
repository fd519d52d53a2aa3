import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { updateUserPreferences, userProfiles } from '../../../lib/domain/accounts/user-profiles.js'
import { users } from '../../../lib/domain/accounts/users.js'
import { type AdmitCallInput, admitCall } from '../../../lib/domain/calls/admission.js'
import { saveConversation } from '../../../lib/domain/calls/conversation-ingest.js'
import { assignPhoneNumber } from '../../../lib/domain/phones/phone-assignments.js'
import { addPhoneNumbers } from '../../../lib/domain/phones/phone-numbers.js'
import { meterCall } from '../../../lib/domain/usage/usage-metering.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { usageByPeriod } from '../../support/fixtures/usage.js'
import { createTestUser } from '../../support/users.js'

const NOW = new Date('2026-11-12T12:00:00Z')
const NOVEMBER = '2026-11-01'
const NUMBER = '+918047101234'
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

let userId: ObjectId
beforeEach(async () => {
  await emptyDatabase()
  userId = (await createTestUser({ plainPassword: null })).user._id
})

const admit = (sessionId: string, now = NOW) => admitCall({}, { userId: String(userId), sessionId }, now)

const meter = (sessionId: string, seconds: number, status: 'processing' | 'completed' = 'processing') =>
  meterCall({ userId, sessionId, startedAt: NOW, seconds, status }, NOW)

const subscribe = async (plan: string) => {
  const profile = { subscription: { plan }, createdAt: NOW, updatedAt: NOW }
  await (await userProfiles.openGuarded()).updateOne({ userId }, { $set: profile }, { upsert: true })
}

describe('an admission', () => {
  it('reserves a call and says how the agent is to speak, and for how long', async () => {
    await updateUserPreferences(userId, { voiceModel: 'nova' }, NOW)

    expect(await admit('a')).toEqual({
      allowed: true,
      userId: String(userId),
      preferences: { voiceModel: 'nova', aiModel: 'gpt-4', responseLength: 'medium', language: 'en' },
      maxSeconds: 1800,
      reservationId: expect.stringMatching(/^[\w-]{22}$/),
    })
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 0, open: ['reserved'] } })
  })

  it.each(['reserved', 'live', 'final'] as const)('is the same one for a session that is %s', async state => {
    const first = await admit('a')
    for (let i = 0; i < 9; i++) await meter(`other-${i}`, 0, 'completed')
    if (state !== 'reserved') await meter('a', 0, state === 'live' ? 'processing' : 'completed')

    expect(await admit('a', later(30))).toEqual(first)
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 10 } })
  })

  it('is refused at the limit of calls, and of minutes', async () => {
    for (let i = 0; i < 10; i++) await admit(`a-${i}`)
    const refused = { allowed: false, maxSeconds: 0, reservationId: null, userId: String(userId) }
    expect(await admit('more')).toMatchObject({ ...refused, reason: 'Monthly call limit exceeded' })

    await testDatabase().db.collection('usageperiods').deleteMany({})
    await meter('long', 1800, 'completed')
    expect(await admit('more')).toMatchObject({ ...refused, reason: 'Monthly minute limit exceeded' })
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, seconds: 1800 } })
  })

  it('takes the place of one call that was not used in time, and of no other', async () => {
    for (let i = 0; i < 9; i++) await admit(`used-${i}`)
    for (let i = 0; i < 9; i++) await meter(`used-${i}`, 1)
    await admit('unused')

    expect(await admit('more', later(119))).toMatchObject({ allowed: false })
    expect(await admit('more', later(120))).toMatchObject({ allowed: true })
    expect(await admit('again', later(120))).toMatchObject({ allowed: false })
    expect(await admit('unused', later(120))).toMatchObject({ allowed: false })
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 10, seconds: 9 } })
  })

  it('of a smaller plan makes room only below its limit', async () => {
    await subscribe('basic')
    for (let i = 0; i < 12; i++) await admit(`a-${i}`)
    await subscribe('free')
    for (let i = 0; i < 4; i++) await meter(`a-${i}`, 1)

    expect(await admit('more')).toMatchObject({ allowed: false })
    expect(await admit('more', later(120))).toMatchObject({ allowed: true })
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 10 } })
  })

  it('shares what is left of the minutes among the calls that are under way', async () => {
    await meter('before', 600, 'completed')

    expect((await admit('a')).maxSeconds).toBe(1200)
    expect((await admit('b')).maxSeconds).toBe(600)
    await meter('a', 300)
    await meter('b', 100)
    expect((await admit('c')).maxSeconds).toBe(267)
    expect((await admit('a')).maxSeconds).toBe(267)
    await meter('b', 100, 'completed')
    expect((await admit('a')).maxSeconds).toBe(400)
    expect((await admit('a', later(120))).maxSeconds).toBe(800)
  })

  it('in the middle of a call says when nothing is left, and refuses it not', async () => {
    await admit('a')
    await meter('a', 1801)

    expect(await admit('a')).toMatchObject({ allowed: true, maxSeconds: 0 })
    expect(await admit('b')).toMatchObject({ allowed: false })
  })

  it('lets the last second be used', async () => {
    await meter('before', 1799, 'completed')

    expect(await admit('a')).toMatchObject({ allowed: true, maxSeconds: 1 })
  })

  it('has no limit but four hours on an unlimited plan', async () => {
    await subscribe('enterprise')
    for (let i = 0; i < 30; i++)
      expect(await admit(`a-${i}`)).toMatchObject({ allowed: true, maxSeconds: 14_400 })

    expect(await admit('a-3')).toMatchObject({ allowed: true, maxSeconds: 14_400 })
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 30 } })
  })
})

describe('who takes the call', () => {
  const ask = (input: Omit<AdmitCallInput, 'sessionId'>, scope = {}) =>
    admitCall(scope, { ...input, sessionId: 'a' }, NOW)

  it('is found by the called number', async () => {
    await addPhoneNumbers([{ phoneNumber: NUMBER }], NOW)
    await assignPhoneNumber(userId, NUMBER, NOW)

    expect(await ask({ to: NUMBER })).toMatchObject({ allowed: true, userId: String(userId) })
  })

  it('is who took it, though the number is another user’s by now, or nobody’s', async () => {
    const OTHER = '+918047105678'
    await addPhoneNumbers([{ phoneNumber: NUMBER }, { phoneNumber: OTHER }], NOW)
    await assignPhoneNumber(userId, NUMBER, NOW)
    await ask({ to: NUMBER })
    await saveConversation({ to: NUMBER, sessionId: 'a', status: 'processing', duration: 60 }, {}, NOW)
    const going = { allowed: true, userId: String(userId), maxSeconds: 1740 }

    await assignPhoneNumber(userId, OTHER, NOW)
    expect(await ask({ to: NUMBER })).toMatchObject(going)
    const { user: next } = await createTestUser({ plainPassword: null })
    await assignPhoneNumber(next._id, NUMBER, NOW)
    expect(await ask({ to: NUMBER })).toMatchObject(going)

    expect(await usageByPeriod(next._id)).toEqual({})
    await expect(ask({ to: NUMBER }, { ownerIds: [next._id] })).rejects.toMatchObject({ code: 'not_found' })
    const another = admitCall({}, { to: NUMBER, sessionId: 'b' }, NOW)
    expect(await another).toMatchObject({ userId: String(next._id), maxSeconds: 1800 })
  })

  it('is nobody for an unknown number or id', async () => {
    for (const input of [{ to: NUMBER }, { userId: String(new ObjectId()) }])
      await expect(ask(input)).rejects.toMatchObject({ code: 'not_found' })
  })

  it.each(['suspended', 'deleted'] as const)('is nobody where the account is %s', async status => {
    await addPhoneNumbers([{ phoneNumber: NUMBER }], NOW)
    await assignPhoneNumber(userId, NUMBER, NOW)
    await (await users.open()).updateOne({ _id: userId }, { $set: { status } })

    for (const input of [{ to: NUMBER }, { userId: String(userId) }])
      await expect(ask(input)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is nobody where the account is gone', async () => {
    await addPhoneNumbers([{ phoneNumber: NUMBER }], NOW)
    await assignPhoneNumber(userId, NUMBER, NOW)
    await (await users.open()).deleteOne({ _id: userId })

    await expect(ask({ to: NUMBER })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is found by a number of the old system that is none, with an account that has no status', async () => {
    const { user } = await createTestUser({ plainPassword: null, status: undefined, role: undefined })
    const profile = { userId: user._id, assignedPhoneNumber: '+1234567890' }
    await testDatabase().db.collection('userprofiles').insertOne(profile)

    expect(await ask({ to: '+1234567890' })).toMatchObject({ allowed: true, userId: String(user._id) })
  })

  it('is nobody outside the caller’s scope', async () => {
    await expect(ask({ userId: String(userId) }, { ownerIds: [new ObjectId()] })).rejects.toMatchObject({
      code: 'not_found',
    })
    expect(await ask({ userId: String(userId) }, { ownerIds: [new ObjectId(), userId] })).toMatchObject({
      allowed: true,
    })
  })
})
