import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import type { Conversation } from '../../../lib/domain/calls/conversations.js'
import { recomputeDue, recomputeUsage } from '../../../lib/domain/usage/usage-recompute.js'
import { sweepUsage } from '../../../lib/domain/usage/usage-settlement.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { postCall, usageByPeriod } from '../../support/fixtures/usage.js'
import { createTestUser } from '../../support/users.js'

const NOW = new Date('2026-11-12T12:00:00Z')
const START = new Date('2026-11-01T00:00:00Z')
const NOVEMBER = 'month:2026-11-01T00:00:00.000Z'
const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
const later = (ms: number) => new Date(NOW.getTime() + ms)

const periods = () => testDatabase().db.collection('usageperiods')

let userId: ObjectId
async function start(): Promise<void> {
  await emptyDatabase()
  userId = (await createTestUser({ plainPassword: null })).user._id
}
beforeEach(start)

const end = (sessionId: string, seconds: number, now = NOW) =>
  postCall({ userId, sessionId, startedAt: now, seconds, status: 'completed' }, now)

/** Three calls that are over, one that goes on, one that is reserved. */
async function settleIn(): Promise<void> {
  for (const [i, seconds] of [10, 20, 30].entries()) await end(`over-${i}`, seconds)
  await sweepUsage(later(HOUR_MS))
  await postCall({ userId, sessionId: 'live', startedAt: NOW, seconds: 5 }, later(HOUR_MS))
  await admitCall({}, { userId: String(userId), sessionId: 'reserved' }, later(HOUR_MS))
}
const RIGHT = { calls: 5, seconds: 65 }

describe('recomputing', () => {
  it('changes nothing where nothing is wrong', async () => {
    await settleIn()
    const before = await periods().find().toArray()

    expect(await recomputeUsage(userId, START, later(3 * HOUR_MS))).toEqual({ metered: 0, mended: [] })
    expect(await periods().find().toArray()).toEqual(before)
  })

  it('mends totals, keeps live entries, and reports every difference once', async () => {
    await settleIn()
    await periods().updateOne({ userId }, { $set: { calls: 9, seconds: 1 } })

    expect(await recomputeUsage(userId, START, later(3 * HOUR_MS))).toEqual({
      metered: 0,
      mended: [{ userId: String(userId), periodId: NOVEMBER, was: { calls: 9, seconds: 1 }, is: RIGHT }],
    })
    expect(await usageByPeriod(userId)).toMatchObject({
      '2026-11-01': { ...RIGHT, open: ['live', 'reserved'] },
    })
    expect(await recomputeUsage(userId, START, later(3 * HOUR_MS))).toEqual({ metered: 0, mended: [] })
  })

  it('restores periods that are lost', async () => {
    await end('november', 40)
    await end('december', 50, later(30 * DAY_MS))
    const before = await usageByPeriod(userId)
    await periods().deleteMany({})

    await recomputeUsage(userId, START, later(31 * DAY_MS))

    expect(await usageByPeriod(userId)).toEqual({
      '2026-11-01': { ...before['2026-11-01'], open: [] },
      '2026-12-01': { ...before['2026-12-01'], open: [] },
    })
  })

  it('meters what a crash at any write kept from it', async () => {
    for (let writes = 1, outcome = ''; outcome !== 'done'; writes++) {
      await start()
      outcome = await crashAfterWrites(writes, () => end('a', 30))

      await recomputeUsage(userId, START, later(2 * HOUR_MS))

      expect(await usageByPeriod(userId)).toMatchObject({ '2026-11-01': { calls: 1, seconds: 30 } })
      await sweepUsage(later(5 * HOUR_MS))
      expect(await testDatabase().db.collection('conversations').findOne()).toMatchObject({
        metered: { periodId: NOVEMBER, calls: 1, seconds: 30 },
      })
    }
  })

  it('leaves alone what a request may still be at', async () => {
    await end('a', 30)
    await testDatabase()
      .db.collection('conversations')
      .updateOne({}, { $unset: { metered: '' } })
    await periods().updateOne({}, { $set: { open: {} } })

    expect(await recomputeUsage(userId, START, later(HOUR_MS / 2))).toMatchObject({ metered: 0 })
  })

  it('does not undo a call that ends at any write of it', async () => {
    for (let writes = 0, paused = true; paused; writes++) {
      await start()
      await settleIn()
      await periods().updateOne({ userId }, { $inc: { calls: 3 } })
      const work = await pauseAfterWrites(writes, () => recomputeUsage(userId, START, later(3 * HOUR_MS)))
      await end('meanwhile', 100, later(3 * HOUR_MS))
      await work.finish()
      paused = work.paused
      expect((await usageByPeriod(userId))['2026-11-01']?.seconds, `after ${writes} writes`).toBe(165)

      await recomputeUsage(userId, START, later(3 * HOUR_MS))
      expect(await usageByPeriod(userId)).toMatchObject({ '2026-11-01': { calls: 6, seconds: 165 } })
    }
  })

  it('counts no call of another user, nor of another month', async () => {
    await settleIn()
    const other = (await createTestUser({ plainPassword: null })).user._id
    await postCall(
      { userId: other, sessionId: 'other', startedAt: NOW, seconds: 9, status: 'completed' },
      NOW,
    )
    await end('october', 9, new Date('2026-10-31T23:59:00Z'))

    expect(await recomputeUsage(userId, START, later(3 * HOUR_MS))).toEqual({ metered: 0, mended: [] })
    expect((await usageByPeriod(userId))['2026-10-01']).toMatchObject({ calls: 1, seconds: 9 })
  })
})

describe('the daily run', () => {
  it('compares each current period once a day, reports, and ends two days after the period', async () => {
    await settleIn()
    await periods().updateOne({ userId }, { $inc: { seconds: 7 } })

    expect(await recomputeDue(later(3 * HOUR_MS))).toMatchObject({
      periods: 1,
      left: 0,
      mended: [{ periodId: NOVEMBER, was: { seconds: 72 }, is: { seconds: 65 } }],
    })
    expect(await recomputeDue(later(4 * HOUR_MS))).toMatchObject({ periods: 0 })
    expect(await recomputeDue(later(24 * HOUR_MS))).toMatchObject({ periods: 1, mended: [] })
    expect(await recomputeDue(new Date('2026-12-01T12:00:00Z'))).toMatchObject({ periods: 1 })
    expect(await recomputeDue(new Date('2026-12-03T12:00:00Z'))).toMatchObject({ periods: 1 })
    expect(await recomputeDue(new Date('2026-12-09T00:00:00Z'))).toMatchObject({ periods: 0 })
  })

  it('brings the limits of a current period to those of the plan', async () => {
    await end('a', 30)
    const profile = { userId, subscription: { plan: 'premium' }, createdAt: NOW, updatedAt: NOW }
    await testDatabase().db.collection('userprofiles').insertOne(profile)

    await recomputeDue(later(HOUR_MS))

    expect(await periods().findOne()).toMatchObject({
      plan: 'premium',
      limits: { calls: 1000, minutes: 3000 },
    })
  })

  describe('a period that was begun before its renewal was known', () => {
    const at = (day: string) => new Date(`2026-03-${day}T12:00:00Z`)
    const END = new Date('2026-03-31T10:30:00Z')
    const stored = () => periods().findOne({ start: new Date('2026-02-28T10:30:00Z') })

    beforeEach(async () => {
      const subscription = {
        plan: 'basic',
        status: 'active',
        stripeSubscriptionId: 'sub_1',
        currentPeriodStart: new Date('2026-01-31T10:30:00Z'),
        currentPeriodEnd: new Date('2026-02-28T10:30:00Z'),
      }
      const profiles = testDatabase().db.collection('userprofiles')
      await profiles.insertOne({ userId, subscription, createdAt: NOW, updatedAt: NOW })
      await end('begun', 30, at('01'))
      expect(await stored()).toMatchObject({ end: new Date('2026-03-28T10:30:00Z') })
      const renewed = {
        'subscription.currentPeriodStart': subscription.currentPeriodEnd,
        'subscription.currentPeriodEnd': END,
      }
      await profiles.updateOne({ userId }, { $set: renewed })
    })

    it('ends when Stripe says: by then it is compared, and by the next admission', async () => {
      await recomputeDue(at('30'))
      expect(await stored()).toMatchObject({ end: END, recomputeAt: expect.any(Date) })
      await periods().updateOne({}, { $set: { end: at('28') } })

      await admitCall({}, { userId: String(userId), sessionId: 'a' }, at('29'))

      expect(await stored()).toMatchObject({ end: END })
    })

    it('tells its user of the usage up to then', async () => {
      await end('long', 240 * 60, at('29'))

      expect(await testDatabase().db.collection('mailoutbox').countDocuments({ kind: 'usage-warning' })).toBe(
        1,
      )
    })
  })

  it('goes on with the others where one cannot be compared', async () => {
    await end('a', 30)
    const broken = { _id: 'broken', userId: 'nobody', start: NOW, open: null, recomputeAt: new Date(0) }
    await testDatabase().db.collection<{ _id: string }>('usageperiods').insertOne(broken)

    await expect(recomputeDue(later(HOUR_MS))).rejects.toThrow()
    expect(await recomputeDue(later(HOUR_MS))).toMatchObject({ periods: 1 })
  })

  it('reads old calls, which say less', async () => {
    await testDatabase().db.collection<Partial<Conversation>>('conversations').insertOne({
      _id: new ObjectId(),
      userId,
      sessionId: 'old',
      status: 'completed',
      createdAt: NOW,
      updatedAt: NOW,
    })
    await end('new', 30)

    expect(await recomputeDue(later(2 * HOUR_MS))).toMatchObject({ metered: 1 })
    expect(await usageByPeriod(userId)).toMatchObject({ '2026-11-01': { calls: 2, seconds: 30 } })
  })
})
