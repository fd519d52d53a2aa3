import type { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import { maintain } from '../../../lib/domain/maintenance/maintenance.js'
import {
  checkUsageLimits,
  listUsageHistory,
  UsageHistoryQuery,
  usageOf,
} from '../../../lib/domain/usage/usage.js'
import { type MeteredCall, meterCall } from '../../../lib/domain/usage/usage-metering.js'
import { sweepUsage } from '../../../lib/domain/usage/usage-settlement.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { postCall, usageByPeriod } from '../../support/fixtures/usage.js'
import { createTestUser } from '../../support/users.js'

const NOW = new Date('2026-11-12T12:00:00Z')
const NOVEMBER = '2026-11-01'
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const later = (ms: number) => new Date(NOW.getTime() + ms)

let userId: ObjectId
async function start(): Promise<void> {
  await emptyDatabase()
  userId = (await createTestUser({ plainPassword: null })).user._id
}
beforeEach(start)

const admit = (sessionId: string, now = NOW) =>
  admitCall({}, { userId: userId.toHexString(), sessionId }, now)

const post = (more: Partial<MeteredCall>, now = NOW) =>
  postCall({ userId, sessionId: 'a', startedAt: NOW, ...more }, now)

const meteredOf = async (sessionId: string) =>
  (await testDatabase().db.collection('conversations').findOne({ sessionId }))?.metered

describe('a reservation', () => {
  it('that is not used in two minutes is given back by maintenance, and no sooner', async () => {
    await admit('a')

    await sweepUsage(later(2 * MINUTE_MS - 1))
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, open: ['reserved'] } })

    expect(await sweepUsage(later(2 * MINUTE_MS))).toEqual({ givenBack: 1, settled: 0, dropped: 0, left: 0 })
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 0, seconds: 0, open: [] } })
  })

  it('that is not used is not counted any more for who looks', async () => {
    for (let i = 0; i < 10; i++) await admit(`a-${i}`)
    expect(await checkUsageLimits(userId, later(MINUTE_MS))).toMatchObject({
      allowed: false,
      calls: { used: 10 },
    })

    const unused = { used: 0, limit: 10, remaining: 10 }
    expect(await checkUsageLimits(userId, later(2 * MINUTE_MS))).toMatchObject({
      allowed: true,
      calls: unused,
    })
    // Nor in the history, where the month is over either.
    for (const now of [later(2 * MINUTE_MS), later(30 * 24 * HOUR_MS)]) {
      const { items } = await listUsageHistory(userId, UsageHistoryQuery.parse({}), now)
      expect(items).toMatchObject([{ calls: unused }])
      expect(await usageOf(userId, now)).toEqual(items)
    }
    // Nor while a sweep has the period to itself.
    const sweep = await pauseAfterWrites(1, () => sweepUsage(later(2 * MINUTE_MS)))
    expect(await usageOf(userId, later(2 * MINUTE_MS))).toMatchObject([{ calls: unused }])
    await sweep.finish()
  })

  it('lasts two minutes more when it is asked for again', async () => {
    await admit('a')
    await admit('a', later(MINUTE_MS))

    await sweepUsage(later(2 * MINUTE_MS))
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1 } })
    await sweepUsage(later(2 * MINUTE_MS))
    expect(await sweepUsage(later(3 * MINUTE_MS))).toMatchObject({ givenBack: 1 })
  })

  it('whose call comes later than that counts after all', async () => {
    await admit('a')
    await sweepUsage(later(HOUR_MS))

    await post({ seconds: 7, status: 'completed' }, later(HOUR_MS))

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, seconds: 7 } })
  })

  it('whose call has begun is not given back', async () => {
    await admit('a')
    await post({})

    await sweepUsage(later(HOUR_MS))

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, open: ['live'] } })
  })
})

describe('a call that never ends', () => {
  it.each([
    [30, 1],
    [0, 0],
  ])(
    'is settled six hours after its last word, and counts as what it lasted: %i s',
    async (seconds, calls) => {
      await post({ seconds })
      expect(await sweepUsage(later(6 * HOUR_MS - 1))).toMatchObject({ settled: 0, dropped: 0 })

      expect(await sweepUsage(later(6 * HOUR_MS))).toMatchObject({ settled: 1 })
      expect(await meteredOf('a')).toEqual({ periodId: 'month:2026-11-01T00:00:00.000Z', calls, seconds })

      expect(await sweepUsage(later(7 * HOUR_MS))).toMatchObject({ dropped: 1 })
      expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls, seconds, open: [] } })
    },
  )

  it('keeps nobody out once it counts as over, though no maintenance ran', async () => {
    for (let i = 0; i < 9; i++) await post({ sessionId: `over-${i}`, seconds: 1, status: 'completed' })
    await post({ sessionId: 'endless', seconds: 0 })
    expect(await admit('next', later(6 * HOUR_MS - 1))).toMatchObject({ allowed: false })

    const then = later(6 * HOUR_MS)
    expect(await checkUsageLimits(userId, then)).toMatchObject({ allowed: true, calls: { used: 9 } })
    expect(await admit('next', then)).toMatchObject({ allowed: true })
    expect(await admit('one more', then)).toMatchObject({ allowed: false })
    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 10, seconds: 9 } })
  })

  it('that lasted keeps its place', async () => {
    for (let i = 0; i < 10; i++) await post({ sessionId: `endless-${i}`, seconds: 1 })

    const then = later(6 * HOUR_MS)
    expect(await checkUsageLimits(userId, then)).toMatchObject({ allowed: false, calls: { used: 10 } })
    expect(await admit('next', then)).toMatchObject({ allowed: false })
  })

  it('takes no share of the minutes once it counts as over', async () => {
    await post({ seconds: 30 })

    expect(await admit('before', later(6 * HOUR_MS - 1))).toMatchObject({ maxSeconds: 885 })
    expect(await admit('after', later(6 * HOUR_MS + 2 * MINUTE_MS))).toMatchObject({ maxSeconds: 1770 })
  })

  it('and goes on after all is counted once', async () => {
    await post({ seconds: 30 })
    for (const hours of [6, 7]) await sweepUsage(later(hours * HOUR_MS))

    await post({ seconds: 50 }, later(8 * HOUR_MS))
    await post({ seconds: 60, status: 'completed' }, later(9 * HOUR_MS))

    expect(await usageByPeriod(userId)).toMatchObject({ [NOVEMBER]: { calls: 1, seconds: 60 } })
  })
})

describe('the entry of a call that is over', () => {
  it('stays for an hour, is then dropped, and is opened again by a later post without counting twice', async () => {
    await post({ seconds: 30, status: 'completed' })
    expect(await sweepUsage(later(HOUR_MS - 1))).toMatchObject({ dropped: 0 })
    expect(await sweepUsage(later(HOUR_MS))).toMatchObject({ dropped: 1, settled: 0 })
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 30, open: [] } })

    await post({ seconds: 30 }, later(2 * HOUR_MS))
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 30, open: [] } })
    await post({ seconds: 45 }, later(2 * HOUR_MS))
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 45, open: ['final'] } })
  })

  it('is not dropped before its document says what it counted as', async () => {
    const call = { userId, sessionId: 'a', startedAt: NOW, seconds: 30, status: 'completed' as const }
    // A crash between the metering and what notes it.
    await crashAfterWrites(4, () => post(call))
    expect(await meteredOf('a')).toBeUndefined()

    expect(await sweepUsage(later(HOUR_MS))).toMatchObject({ settled: 1, dropped: 0 })
    expect(await meteredOf('a')).toMatchObject({ calls: 1, seconds: 30 })
    // Whoever read the document before that may still be at work.
    await meterCall(call, later(2 * HOUR_MS - 1))
    expect(await sweepUsage(later(2 * HOUR_MS))).toMatchObject({ dropped: 1 })

    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 30, open: [] } })
  })

  it('keeps its session from being reserved anew', async () => {
    await post({ seconds: 30, status: 'completed' })
    await sweepUsage(later(HOUR_MS))

    expect(await admit('a', later(2 * HOUR_MS))).toMatchObject({ allowed: true, maxSeconds: 1770 })
    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 1, seconds: 30, open: [] } })
  })
})

describe('a sweep', () => {
  /** An unused reservation, a call that never ended, and one that is over. */
  async function leftovers(): Promise<void> {
    await start()
    await admit('unused')
    await post({ sessionId: 'endless', seconds: 20 })
    await post({ sessionId: 'over', seconds: 40, status: 'completed' })
  }
  const DONE = { [NOVEMBER]: { calls: 2, seconds: 60, open: [] } }
  const sweepAll = async () => {
    for (const hours of [7, 8, 9, 10]) await sweepUsage(later(hours * HOUR_MS))
  }

  it('that ends at any write is finished by the next ones', async () => {
    for (let writes = 0, outcome = ''; outcome !== 'done'; writes++) {
      await leftovers()
      outcome = await crashAfterWrites(writes, () => sweepUsage(later(6.5 * HOUR_MS)))
      await sweepAll()

      expect(await usageByPeriod(userId), `after ${writes} writes`).toEqual(DONE)
      expect(await meteredOf('endless')).toMatchObject({ calls: 1, seconds: 20 })
    }
  })

  it('leaves a call right that is posted at any write of it', async () => {
    for (let writes = 0, paused = true; paused; writes++) {
      await leftovers()
      const sweep = await pauseAfterWrites(writes, () => sweepUsage(later(6.5 * HOUR_MS)))
      await post({ sessionId: 'endless', seconds: 25, status: 'completed' }, later(6.5 * HOUR_MS))
      await post({ sessionId: 'unused', seconds: 5 }, later(6.5 * HOUR_MS))
      await post({ sessionId: 'over', seconds: 41 }, later(6.5 * HOUR_MS))
      await sweep.finish()
      await post({ sessionId: 'unused', seconds: 6, status: 'completed' }, later(6.6 * HOUR_MS))
      await sweepAll()

      paused = sweep.paused
      const expected = { calls: 3, seconds: 25 + 6 + 41, open: [] }
      expect(await usageByPeriod(userId), `after ${writes} writes`).toEqual({ [NOVEMBER]: expected })
      expect(await meteredOf('endless')).toMatchObject({ calls: 1, seconds: 25 })
    }
  })

  it('beside nine others does what one does', async () => {
    await leftovers()

    await Promise.all(Array.from({ length: 10 }, () => sweepUsage(later(6.5 * HOUR_MS))))
    await sweepAll()

    expect(await usageByPeriod(userId)).toEqual(DONE)
  })

  it('is part of maintenance', async () => {
    await leftovers()

    const { jobs } = await maintain(later(6.5 * HOUR_MS), failure => expect(failure).toBeUndefined())

    expect(jobs.find(({ name }) => name === 'usage-entries')).toMatchObject({
      ok: true,
      result: { givenBack: 1, settled: 1, dropped: 1, left: 0 },
    })
  })

  it('of a call passing by keeps a period small', async () => {
    for (let i = 0; i < 5; i++) await post({ sessionId: `a-${i}`, seconds: 1, status: 'completed' })
    const work: Promise<unknown>[] = []
    const call = { userId, sessionId: 'next', startedAt: NOW, seconds: 1, status: 'completed' as const }

    await meterCall(call, later(HOUR_MS), task => work.push(task))
    await Promise.all(work)

    expect(await usageByPeriod(userId)).toEqual({ [NOVEMBER]: { calls: 6, seconds: 6, open: ['final'] } })
  })
})
