import type { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { userProfiles } from '../../../lib/domain/accounts/user-profiles.js'
import type { Subscription } from '../../../lib/domain/billing/subscriptions.js'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import { type MeteredCall, meterCall } from '../../../lib/domain/usage/usage-metering.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { postCall, usageByPeriod } from '../../support/fixtures/usage.js'
import { createTestUser } from '../../support/users.js'

const NOW = new Date('2026-11-12T12:00:00Z')
const NOVEMBER = '2026-11-01'
const later = (ms: number, from = NOW) => new Date(from.getTime() + ms)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

let userId: ObjectId
beforeEach(async () => {
  await emptyDatabase()
  userId = (await createTestUser({ plainPassword: null })).user._id
})

const admit = (sessionId: string, now = NOW) =>
  admitCall({}, { userId: userId.toHexString(), sessionId }, now)

function call(sessionId: string, more: Partial<MeteredCall> = {}): MeteredCall {
  return { userId, sessionId, startedAt: NOW, seconds: 0, status: 'processing', ...more }
}

async function subscribe(subscription: Subscription): Promise<void> {
  const profiles = await userProfiles.openGuarded()
  await profiles.updateOne(
    { userId },
    { $set: { subscription, createdAt: NOW, updatedAt: NOW } },
    { upsert: true },
  )
}

/** Every order of some things. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]),
  )
}

describe('a call', () => {
  it('counts once, from its admission on, and its seconds as they come', async () => {
    await admit('a')
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 0, open: ['reserved'] } })

    await meterCall(call('a', { seconds: 20 }), NOW)
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 20, open: ['live'] } })

    const metered = await meterCall(call('a', { seconds: 61, status: 'completed' }), NOW)
    expect(metered).toEqual({ periodId: 'month:2026-11-01T00:00:00.000Z', calls: 1, seconds: 61 })
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 61, open: ['final'] } })
  })

  it.each([
    ['completed', 0, 1],
    ['completed', 5, 1],
    ['failed', 5, 1],
    ['failed', 0, 0],
  ] as const)('that %s after %i s counts %i', async (status, seconds, calls) => {
    await admit('admitted')
    for (const sessionId of ['admitted', 'unasked'])
      expect(await meterCall(call(sessionId, { status, seconds }), NOW)).toMatchObject({ calls, seconds })

    expect(await usageByPeriod(userId)).toMatchObject({
      [NOVEMBER]: { calls: 2 * calls, seconds: 2 * seconds },
    })
  })

  it('of which nothing counted makes room for another', async () => {
    for (let i = 0; i < 10; i++) await admit(`a-${i}`)
    expect(await admit('more')).toMatchObject({ allowed: false, reason: 'Monthly call limit exceeded' })

    await meterCall(call('a-3', { status: 'failed' }), NOW)

    expect(await admit('more')).toMatchObject({ allowed: true })
  })

  it('is never refused: it happened', async () => {
    for (let i = 0; i < 12; i++) await meterCall(call(`a-${i}`, { seconds: 200, status: 'completed' }), NOW)

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 12, seconds: 2400 } })
  })

  it.each([
    ['completed', 60],
    ['failed', 0],
  ] as const)('ends in the same usage whatever the order of its readings: %s', async (status, seconds) => {
    const readings = [
      call('', { seconds: 0 }),
      call('', { seconds: seconds / 2 }),
      call('', { seconds: seconds / 2, status }),
      call('', { seconds, status }),
    ]
    for (const [i, order] of permutations(readings).entries()) {
      const sessionId = `session ${i}`
      for (const reading of order) await meterCall({ ...reading, sessionId }, NOW)
      const last = await meterCall(call(sessionId, { seconds, status }), NOW)
      expect(last, `order ${i}`).toMatchObject({ calls: seconds > 0 ? 1 : 0, seconds })
    }
    const counted = seconds > 0 ? 24 : 0
    expect(await usageByPeriod(userId)).toMatchObject({
      [NOVEMBER]: { calls: counted, seconds: counted * 60 },
    })
  })

  it('posted by sixty requests at once counts once, with the most seconds', async () => {
    await admit('a')
    // Of two that make the document at once, DocumentDB gives one the other’s: not what this is about.
    await postCall(call('a'), NOW)
    const posts = Array.from({ length: 60 }, (_, i) =>
      postCall(
        { ...call('a'), seconds: (i * 37) % 60, status: i % 20 === 7 ? 'completed' : 'processing' },
        NOW,
      ),
    )
    await Promise.all(posts)

    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 59, open: ['final'] } })
  })

  it('whose name could be a path or an operator is a call like any other', async () => {
    for (const sessionId of ['a.b', '$inc', '__proto__', 'x'.repeat(200), 'ünï\u0000']) {
      await admit(sessionId)
      await meterCall(call(sessionId, { status: 'completed', seconds: 1 }), NOW)
    }

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 5, seconds: 5 } })
  })

  it('is written no more than it has to be', async () => {
    await meterCall(call('a', { seconds: 20 }), NOW)
    const [before] = await testDatabase().db.collection('usageperiods').find().toArray()

    await meterCall(call('a', { seconds: 20 }), later(HOUR_MS))
    await meterCall(call('a', { seconds: 10 }), later(HOUR_MS))

    expect(await testDatabase().db.collection('usageperiods').find().toArray()).toEqual([before])
  })
})

describe('the period of a call', () => {
  const LATE = new Date('2026-11-30T23:59:58Z')
  const NEXT_MONTH = new Date('2026-12-01T00:00:03Z')

  it('is the one that admitted it, though its first word comes after midnight', async () => {
    await admit('a', LATE)
    await meterCall(call('a', { startedAt: NEXT_MONTH, seconds: 9, status: 'completed' }), NEXT_MONTH)

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, seconds: 9 } })
  })

  it('is the one that it started in, where it was not admitted', async () => {
    await meterCall(call('a', { startedAt: LATE, seconds: 9, status: 'completed' }), NEXT_MONTH)

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, seconds: 9 } })
  })

  it('stays the same when the user subscribes in the middle of it', async () => {
    await admit('a')
    const subscription = { plan: 'basic', status: 'active', stripeSubscriptionId: 'sub_1' } as const
    await subscribe({ ...subscription, currentPeriodStart: NOW, currentPeriodEnd: later(30 * 24 * HOUR_MS) })

    await meterCall(call('a', { startedAt: later(1), seconds: 9, status: 'completed' }), later(MINUTE_MS))
    await meterCall(call('b', { startedAt: later(1), seconds: 7, status: 'completed' }), later(MINUTE_MS))

    expect(await usageByPeriod(userId)).toMatchObject({
      [NOVEMBER]: { calls: 1, seconds: 9 },
      '2026-11-12': { calls: 1, seconds: 7 },
    })
  })

  it('is the one that it started in, though its subscription was renewed since', async () => {
    const RENEWED = new Date('2026-11-20T09:00:00Z')
    const subscription = { plan: 'basic', status: 'active', stripeSubscriptionId: 'sub_1' } as const
    const before = { currentPeriodStart: new Date('2026-10-20T09:00:00Z'), currentPeriodEnd: RENEWED }
    const since = { currentPeriodStart: RENEWED, currentPeriodEnd: new Date('2026-12-20T09:00:00Z') }
    await subscribe({ ...subscription, ...before })
    await meterCall(call('a', { seconds: 9, status: 'completed' }), NOW)
    await subscribe({ ...subscription, ...since })

    const late = later(3 * HOUR_MS, RENEWED)
    for (const startedAt of [later(-1, RENEWED), later(1, RENEWED)])
      await meterCall(call(startedAt.toISOString(), { startedAt, seconds: 7, status: 'completed' }), late)

    expect(await usageByPeriod(userId)).toMatchObject({
      '2026-10-20': { calls: 2, seconds: 16 },
      '2026-11-20': { calls: 1, seconds: 7 },
    })
    expect(Object.keys(await usageByPeriod(userId))).toHaveLength(2)
  })

  it('is one, where two first posts saw different plans', async () => {
    for (let writes = 0, paused = true; paused; writes++) {
      const sessionId = `session ${writes}`
      await emptyDatabase()
      const first = await pauseAfterWrites(writes, () => meterCall(call(sessionId, { seconds: 5 }), NOW))
      const started = { currentPeriodStart: later(-HOUR_MS), currentPeriodEnd: later(30 * 24 * HOUR_MS) }
      await subscribe({ plan: 'basic', status: 'active', stripeSubscriptionId: 'sub_1', ...started })
      await meterCall(call(sessionId, { seconds: 8 }), NOW)
      await first.finish()
      const metered = await meterCall(call(sessionId, { seconds: 9, status: 'completed' }), NOW)

      paused = first.paused
      const periods = Object.values(await usageByPeriod(userId))
      expect(periods.map(({ calls }) => calls).reduce((sum, calls) => sum + calls)).toBe(1)
      expect(periods.map(({ seconds }) => seconds).reduce((sum, seconds) => sum + seconds)).toBe(9)
      expect(metered).toMatchObject({ calls: 1, seconds: 9 })
    }
  })
})

describe('a process that ends', () => {
  it('at any write of a post leaves nothing that the repeated post does not mend', async () => {
    for (const admitted of [true, false])
      for (let writes = 0, outcome = ''; outcome !== 'done'; writes++) {
        await emptyDatabase()
        userId = (await createTestUser({ plainPassword: null })).user._id
        if (admitted) await admit('a')
        const post = () => postCall(call('a', { seconds: 30, status: 'completed' }), NOW)
        outcome = await crashAfterWrites(writes, post)
        await post()

        expect(await usageByPeriod(userId), `after ${writes} writes`).toEqual({
          [NOVEMBER]: { calls: 1, seconds: 30, open: ['final'] },
        })
      }
  })

  it('at any write of an admission leaves nothing that the repeated one does not find', async () => {
    for (let writes = 0, outcome = ''; outcome !== 'done'; writes++) {
      await emptyDatabase()
      userId = (await createTestUser({ plainPassword: null })).user._id
      outcome = await crashAfterWrites(writes, () => admit('a'))
      expect(await admit('a')).toMatchObject({ allowed: true })

      expect(await usageByPeriod(userId)).toEqual({
        [NOVEMBER]: { calls: 1, seconds: 0, open: ['reserved'] },
      })
    }
  })
})

describe('a request that read the call before another ended it', () => {
  it('changes nothing of that, at any interleaving', async () => {
    for (const early of [call('a'), call('a', { seconds: 10 })])
      for (let writes = 0, paused = true; paused; writes++) {
        await emptyDatabase()
        userId = (await createTestUser({ plainPassword: null })).user._id
        await admit('a')

        const late = await pauseAfterWrites(writes, () => meterCall({ ...early, userId }, NOW))
        await meterCall(call('a', { seconds: 40, status: 'completed' }), NOW)
        await late.finish()

        paused = late.paused
        expect(await usageByPeriod(userId)).toEqual({
          [NOVEMBER]: { calls: 1, seconds: 40, open: ['final'] },
        })
      }
  })
})

describe('a plan that changes', () => {
  const started = { currentPeriodStart: later(-HOUR_MS), currentPeriodEnd: later(30 * 24 * HOUR_MS) }
  const subscription = { status: 'active', stripeSubscriptionId: 'sub_1', ...started } as const

  it('starts a first subscription at zero, keeps what was used inside it, and resumes the free month', async () => {
    for (let i = 0; i < 10; i++) await meterCall(call(`free-${i}`, { seconds: 6, status: 'completed' }), NOW)
    expect(await admit('x')).toMatchObject({ allowed: false })

    await subscribe({ ...subscription, plan: 'basic' })
    for (let i = 0; i < 100; i++) await meterCall(call(`paid-${i}`, { seconds: 6, status: 'completed' }), NOW)
    expect(await admit('x')).toMatchObject({ allowed: false, reason: 'Monthly call limit exceeded' })

    await subscribe({ ...subscription, plan: 'premium' })
    expect(await admit('x')).toMatchObject({ allowed: true, maxSeconds: 14_400 })
    expect(await usageByPeriod(userId)).toMatchObject({ '2026-11-12': { calls: 101, seconds: 600 } })

    await subscribe({ ...subscription, plan: 'premium', status: 'cancelled', currentPeriodEnd: later(-1) })
    expect(await admit('y')).toMatchObject({ allowed: false, reason: 'Monthly call limit exceeded' })
  })
})
