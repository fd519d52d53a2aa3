import { describe, expect, it } from 'vitest'
import { entitlementAt, entitlementIn, type Subscription } from '../../../lib/domain/billing/subscriptions.js'
import { plans } from '../../../lib/domain/usage/plans.js'

const at = (time: string) => new Date(time)
const DAY_MS = 24 * 60 * 60 * 1000

/** A subscription with Stripe, from 31 January at 10:30 for a month. */
function subscribed(overrides: Partial<Subscription> = {}): Subscription {
  return {
    plan: 'basic',
    status: 'active',
    stripeSubscriptionId: 'sub_1',
    currentPeriodStart: at('2026-01-31T10:30:00Z'),
    currentPeriodEnd: at('2026-02-28T10:30:00Z'),
    ...overrides,
  }
}

/** Plan, first and last moment as of some time. */
function entitled(subscription: Subscription | undefined, now: string): [string, string, string] {
  const { plan, period } = entitlementAt(subscription, at(now))
  return [plan, period.start.toISOString(), period.end.toISOString()]
}

const JANUARY = ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z']
const FEBRUARY = ['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z']
const MARCH = ['2026-03-01T00:00:00.000Z', '2026-04-01T00:00:00.000Z']

it('has the plans that the product promises', () => {
  expect(plans).toEqual({
    free: { calls: 10, minutes: 30 },
    basic: { calls: 100, minutes: 300 },
    premium: { calls: 1000, minutes: 3000 },
    enterprise: { calls: null, minutes: null },
  })
})

describe('without Stripe', () => {
  it.each([
    ['2026-01-01T00:00:00.000Z', JANUARY],
    ['2026-01-31T23:59:59.999Z', JANUARY],
    ['2026-02-01T00:00:00.000Z', FEBRUARY],
    ['2026-02-28T23:59:59.999Z', FEBRUARY],
    ['2026-12-31T23:59:59.999Z', ['2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z']],
    ['2028-02-29T12:00:00.000Z', ['2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z']],
  ])('at %s it is free by the calendar month, UTC', (now, month) => {
    for (const none of [undefined, { plan: 'free' }, { plan: 'platinum' }])
      expect(entitled(none, now)).toEqual(['free', ...month])
  })

  it('a plan that an operator gave runs by the calendar month too', () => {
    expect(entitled({ plan: 'enterprise' }, '2026-02-14T00:00:00Z')).toEqual(['enterprise', ...FEBRUARY])
  })
})

describe('with Stripe', () => {
  it('runs by the subscription’s own period, up to but not including its end', () => {
    const period = ['2026-01-31T10:30:00.000Z', '2026-02-28T10:30:00.000Z']

    expect(entitled(subscribed(), '2026-01-31T10:30:00.000Z')).toEqual(['basic', ...period])
    expect(entitled(subscribed(), '2026-02-28T10:29:59.999Z')).toEqual(['basic', ...period])
  })

  it('goes on by the month while the renewal is not yet known', () => {
    expect(entitled(subscribed(), '2026-02-28T10:30:00.000Z')).toEqual([
      'basic',
      '2026-02-28T10:30:00.000Z',
      '2026-03-28T10:30:00.000Z',
    ])
    expect(entitled(subscribed(), '2026-05-01T00:00:00.000Z')[1]).toBe('2026-04-28T10:30:00.000Z')
  })

  it('keeps its period when the plan changes', () => {
    const before = entitlementAt(subscribed(), at('2026-02-10T00:00:00Z'))
    const after = entitlementAt(subscribed({ plan: 'premium' }), at('2026-02-10T00:00:00Z'))

    expect(after).toEqual({ plan: 'premium', period: before.period })
  })

  it('has a period of its own for each subscription, even where both begin at once', () => {
    const start = {
      currentPeriodStart: at('2026-02-01T00:00:00Z'),
      currentPeriodEnd: at('2026-03-01T00:00:00Z'),
    }
    const now = at('2026-02-10T00:00:00Z')
    const ids = [undefined, subscribed(start), subscribed({ ...start, stripeSubscriptionId: 'sub_2' })].map(
      subscription => entitlementAt(subscription, now).period.id,
    )

    expect(new Set(ids).size).toBe(3)
  })

  it('is counted by the calendar month before it begins, and where its period is not known', () => {
    expect(entitled(subscribed(), '2026-01-31T10:29:59.999Z')).toEqual(['basic', ...JANUARY])
    const { currentPeriodEnd: _, ...unknown } = subscribed()
    expect(entitled(unknown, '2026-02-10T00:00:00Z')).toEqual(['basic', ...FEBRUARY])
  })

  it.each([
    ['2026-01-31T00:00:00Z', ['2026-01-31T00:00:00.000Z', '2026-02-28T00:00:00.000Z']],
    ['2026-02-27T23:59:59.999Z', ['2026-01-31T00:00:00.000Z', '2026-02-28T00:00:00.000Z']],
    ['2026-02-28T00:00:00Z', ['2026-02-28T00:00:00.000Z', '2026-03-31T00:00:00.000Z']],
    ['2026-03-31T00:00:00Z', ['2026-03-31T00:00:00.000Z', '2026-04-30T00:00:00.000Z']],
    ['2027-01-30T23:59:59.999Z', ['2026-12-31T00:00:00.000Z', '2027-01-31T00:00:00.000Z']],
  ])('paid by the year, its months end on the last day of a short one: %s', (now, month) => {
    const annual = subscribed({
      currentPeriodStart: at('2026-01-31T00:00:00Z'),
      currentPeriodEnd: at('2027-01-31T00:00:00Z'),
    })

    expect(entitled(annual, now)).toEqual(['basic', ...month])
  })

  it('paid by the year, the last month ends with it', () => {
    const annual = subscribed({
      currentPeriodStart: at('2028-02-29T12:00:00Z'),
      currentPeriodEnd: at('2029-02-28T12:00:00Z'),
    })

    expect(entitled(annual, '2029-02-20T00:00:00Z')).toEqual([
      'basic',
      '2029-01-29T12:00:00.000Z',
      '2029-02-28T12:00:00.000Z',
    ])
  })
})

describe('a payment that failed', () => {
  const pastDueSince = at('2026-02-10T00:00:00Z')
  const pastDue = subscribed({ status: 'past_due', pastDueSince })

  it('keeps the plan for seven days, and its period', () => {
    const last = new Date(pastDueSince.getTime() + 7 * DAY_MS - 1)

    expect(entitlementAt(pastDue, last)).toEqual(entitlementAt(subscribed(), last))
  })

  it('then falls to free, whose month it resumes', () => {
    const over = new Date(pastDueSince.getTime() + 7 * DAY_MS)

    expect(entitlementAt(pastDue, over)).toEqual(entitlementAt(undefined, over))
  })
})

describe('a cancelled subscription', () => {
  it.each([{ status: 'cancelled' as const }, { cancelAtPeriodEnd: true }])(
    'lasts to the end of its period: %o',
    cancelled => {
      const subscription = subscribed(cancelled)

      expect(entitled(subscription, '2026-02-28T10:29:59.999Z')[0]).toBe('basic')
      expect(entitled(subscription, '2026-02-28T10:30:00.000Z')).toEqual(['free', ...FEBRUARY])
      expect(entitled(subscription, '2026-03-10T00:00:00.000Z')).toEqual(['free', ...MARCH])
    },
  )

  it('is over at once where its period is not known', () => {
    const { currentPeriodEnd: _, ...unknown } = subscribed({ status: 'cancelled' })

    expect(entitled(unknown, '2026-02-01T00:00:00Z')[0]).toBe('free')
  })
})

describe('a period that is known by its id', () => {
  it('is the subscription’s, the calendar month, or a month of a subscription that is gone', () => {
    const now = at('2026-09-01T00:00:00Z')
    const known = entitlementAt(subscribed(), at('2026-02-10T00:00:00Z'))
    const free = entitlementAt(undefined, at('2026-02-10T00:00:00Z'))
    const gone = 'sub_0:2025-08-31T00:00:00.000Z'

    expect(entitlementIn(known.period.id, subscribed(), now)).toEqual(known)
    expect(entitlementIn(free.period.id, undefined, now)).toEqual(free)
    expect(entitlementIn(undefined, subscribed(), now)).toEqual(entitlementAt(subscribed(), now))
    expect(entitlementIn(gone, undefined, now).period).toEqual({
      id: gone,
      start: at('2025-08-31T00:00:00Z'),
      end: at('2025-09-30T00:00:00Z'),
    })
  })
})
