import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { userProfiles } from '../../../lib/domain/accounts/user-profiles.js'
import { checkUsageLimits, listUsageHistory, UsageHistoryQuery } from '../../../lib/domain/usage/usage.js'
import { UsagePeriod, usagePeriods } from '../../../lib/domain/usage/usage-periods.js'
import { emptyDatabase } from '../../support/database.js'

const START = new Date('2026-11-01T00:00:00Z')
const END = new Date('2026-12-01T00:00:00Z')
const at = (time: string) => new Date(time)

const userId = new ObjectId()

/** A period as it is stored: that of November 2026, of the free plan, unless told otherwise. */
function storedPeriod(fields: Partial<UsagePeriod> = {}): UsagePeriod {
  const { start = START } = fields
  const owner = fields.userId ?? userId
  const periodId = fields.periodId ?? `month:${start.toISOString()}`
  return UsagePeriod.parse({
    _id: `${owner}:${periodId}`,
    userId: owner,
    periodId,
    start,
    end: END,
    plan: 'free',
    limits: { calls: 10, minutes: 30 },
    calls: 0,
    seconds: 0,
    open: {},
    createdAt: start,
    updatedAt: start,
    ...fields,
  })
}

async function store(...periods: Partial<UsagePeriod>[]): Promise<void> {
  await (await usagePeriods.open()).insertMany(periods.map(storedPeriod))
}

beforeEach(() => emptyDatabase())

describe('the usage of a user', () => {
  it('who has used nothing is all that the plan allows', async () => {
    expect(await checkUsageLimits(userId, at('2026-11-12T12:00:00Z'))).toEqual({
      allowed: true,
      plan: 'free',
      period: { start: START, end: END },
      calls: { used: 0, limit: 10, remaining: 10 },
      minutes: { used: 0, limit: 30, remaining: 30 },
      forecast: { basis: 'too_little_data', callsRunOutAt: null, minutesRunOutAt: null },
    })
  })

  it('is in minutes of two decimals', async () => {
    await store({ calls: 3, seconds: 100 })

    expect(await checkUsageLimits({ _id: userId }, at('2026-11-12T12:00:00Z'))).toMatchObject({
      minutes: { used: 1.67, limit: 30, remaining: 28.33 },
    })
  })

  it.each([
    [9, 1799, undefined],
    [10, 0, 'Monthly call limit exceeded'],
    [10, 1800, 'Monthly call limit exceeded'],
    [9, 1800, 'Monthly minute limit exceeded'],
    [12, 4000, 'Monthly call limit exceeded'],
  ])('of %i calls and %i seconds says whether one more is let through', async (calls, seconds, reason) => {
    await store({ calls, seconds })

    const usage = await checkUsageLimits(userId, at('2026-11-12T12:00:00Z'))

    expect([usage.allowed, usage.reason]).toEqual([reason === undefined, reason])
    expect(usage.calls.remaining).toBe(Math.max(0, 10 - calls))
    expect(usage.minutes.remaining).toBeGreaterThanOrEqual(0)
  })

  it('begins anew with the month, and follows the plan at once', async () => {
    await store({ calls: 10, seconds: 1800 })
    expect(await checkUsageLimits(userId, at('2026-12-01T00:00:00Z'))).toMatchObject({
      allowed: true,
      calls: { used: 0 },
    })

    const profile = { subscription: { plan: 'enterprise' }, createdAt: START, updatedAt: START }
    await (await userProfiles.openGuarded()).updateOne({ userId }, { $set: profile }, { upsert: true })
    expect(await checkUsageLimits(userId, at('2026-11-12T12:00:00Z'))).toMatchObject({
      allowed: true,
      plan: 'enterprise',
      calls: { used: 10, limit: null, remaining: null },
      minutes: { used: 30, limit: null, remaining: null },
      forecast: { callsRunOutAt: null, minutesRunOutAt: null },
    })
  })
})

describe('the forecast', () => {
  const forecastAt = async (now: string) => (await checkUsageLimits(userId, at(now))).forecast

  it('is the moment at which the rate so far meets each limit', async () => {
    // In ten days half of the calls and two thirds of the minutes.
    await store({ calls: 5, seconds: 1200 })

    expect(await forecastAt('2026-11-11T00:00:00Z')).toEqual({
      basis: 'measured',
      callsRunOutAt: at('2026-11-21T00:00:00Z'),
      minutesRunOutAt: at('2026-11-16T00:00:00Z'),
    })
  })

  it('is nothing where the plan lasts to the end of the period', async () => {
    await store({ calls: 3, seconds: 60 })

    expect(await forecastAt('2026-11-11T00:00:00Z')).toEqual({
      basis: 'measured',
      callsRunOutAt: null,
      minutesRunOutAt: null,
    })
  })

  it('measures from the first use of the period', async () => {
    await store({ calls: 5, seconds: 0, createdAt: at('2026-11-20T00:00:00Z') })

    expect(await forecastAt('2026-11-22T00:00:00Z')).toMatchObject({
      callsRunOutAt: at('2026-11-24T00:00:00Z'),
      minutesRunOutAt: null,
    })
  })

  it.each([
    [{ calls: 2, seconds: 900 }, '2026-11-11T00:00:00Z'],
    [{ calls: 9, seconds: 900 }, '2026-11-01T23:59:59.999Z'],
  ])('makes none of too little: %o at %s', async (used, now) => {
    await store(used)

    expect(await forecastAt(now)).toEqual({
      basis: 'too_little_data',
      callsRunOutAt: null,
      minutesRunOutAt: null,
    })
  })

  it('is now where a limit is reached', async () => {
    await store({ calls: 10, seconds: 60 })

    expect(await forecastAt('2026-11-01T06:00:00Z')).toMatchObject({
      callsRunOutAt: at('2026-11-01T06:00:00Z'),
      minutesRunOutAt: null,
    })
  })
})

describe('the history', () => {
  const months = ['2026-08', '2026-09', '2026-10', '2026-11']
  const list = (query: object) =>
    listUsageHistory(userId, UsageHistoryQuery.parse(query), at('2026-11-12T12:00:00Z'))

  it('has a row a period, newest first, with the limits of then, and nobody else’s', async () => {
    await store({ calls: 3, seconds: 90 }, { userId: new ObjectId(), calls: 5 })
    await store({ start: at('2026-10-01T00:00:00Z'), plan: 'basic', limits: { calls: 100, minutes: 300 } })

    const { items, nextCursor } = await list({})

    expect(nextCursor).toBeNull()
    expect(items).toEqual([
      {
        id: 'month:2026-11-01T00:00:00.000Z',
        plan: 'free',
        period: { start: START, end: END },
        calls: { used: 3, limit: 10, remaining: 7 },
        minutes: { used: 1.5, limit: 30, remaining: 28.5 },
      },
      expect.objectContaining({ plan: 'basic', calls: { used: 0, limit: 100, remaining: 100 } }),
    ])
  })

  it('is paged without a gap or a repetition, also where two periods begin at once', async () => {
    await store(...months.map(month => ({ start: at(`${month}-01T00:00:00Z`) })))
    await store(
      ...months.map(month => ({
        start: at(`${month}-01T00:00:00Z`),
        periodId: `sub_1:${month}-01T00:00:00.000Z`,
      })),
    )

    const ids: string[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await list({ limit: 3, ...(cursor && { cursor }) })
      ids.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    }

    expect(ids).toEqual(
      [...months].reverse().flatMap(month => ['sub_1', 'month'].map(id => `${id}:${month}-01T00:00:00.000Z`)),
    )
  })

  it.each(['x', 'month:2026-13-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z', '$gt'])(
    'takes no cursor that is none: %s',
    cursor => {
      expect(UsageHistoryQuery.safeParse({ cursor }).success).toBe(false)
    },
  )
})
