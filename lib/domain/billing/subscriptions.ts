import { z } from 'zod'
import { DAY_MS } from '../durations.js'
import { PlanName } from '../usage/plans.js'

/** For so long a plan is kept whose payment failed. */
const PAST_DUE_GRACE_MS = 7 * DAY_MS

/** Longer than any month of usage: what a subscription pays for at once is then more than one month. */
export const LONGEST_MONTH_MS = 32 * DAY_MS

/** What a user pays for. Without Stripe's fields it was given by an operator, or is the old system's. */
export const Subscription = z.object({
  plan: z.string(),
  status: z.enum(['active', 'past_due', 'paused', 'cancelled']).optional(),
  /** Stays when a subscription ends: the next one is the same customer's. */
  stripeCustomerId: z.string().optional(),
  stripeSubscriptionId: z.string().optional(),
  currentPeriodStart: z.date().optional(),
  /** The end of what is paid for: where it ends earlier than its period, that. */
  currentPeriodEnd: z.date().optional(),
  /** It runs to the end of its period and is not renewed. */
  cancelAtPeriodEnd: z.boolean().optional(),
  pastDueSince: z.date().optional(),
  /**
   * How often Stripe's state was written here: of two readings at once only one finds the revision that it began
   * with.
   */
  revision: z.number().int().optional(),
  /** When Stripe's state was last read. */
  readAt: z.date().optional(),
  /** The last page that was opened to buy a plan: the only one that may still be paid. */
  checkoutSessionId: z.string().optional(),
  /** When that page was opened. */
  checkoutAt: z.date().optional(),
})
export type Subscription = z.infer<typeof Subscription>

/** The plan that counts at some moment, and the month that its limits are for. */
export interface Entitlement {
  plan: PlanName
  period: UsagePeriodSpan
}

/** A month of usage, from `start` up to but not including `end`. */
export interface UsagePeriodSpan {
  /** Tells a user's periods from each other: two may start at the same moment, one of them free. */
  id: string
  start: Date
  end: Date
}

/**
 * What a subscription entitles to at a moment. Free plans and plans without Stripe run by the calendar month, UTC;
 * Stripe's by the subscription's own period. Every deadline holds by the clock, whether or not Stripe has told us:
 * a payment that failed keeps the plan for 7 days, a cancelled subscription lasts to the end of its period, one that is
 * paused gives nothing, and one that is due for renewal goes on.
 */
export function entitlementAt(subscription: Subscription | undefined, now: Date): Entitlement {
  const plan = PlanName.safeParse(subscription?.plan)
  if (!subscription || !plan.success || hasEnded(subscription, now))
    return { plan: 'free', period: calendarMonth(now) }
  return { plan: plan.data, period: paidMonth(subscription, now) ?? calendarMonth(now) }
}

/** A subscription as its owner sees it: with the plan that counts, and nothing of Stripe's. */
export const PublicSubscription = Subscription.pick({
  status: true,
  currentPeriodEnd: true,
  cancelAtPeriodEnd: true,
}).extend({ plan: PlanName })
export type PublicSubscription = z.infer<typeof PublicSubscription>

/** What a user may know of a subscription. One whose deadline has passed shows as the free plan that it is. */
export function toPublicSubscription(subscription: Subscription | undefined, now: Date): PublicSubscription {
  const { status, currentPeriodEnd, cancelAtPeriodEnd } = subscription ?? {}
  return {
    plan: entitlementAt(subscription, now).plan,
    ...(status && { status }),
    ...(currentPeriodEnd && { currentPeriodEnd }),
    ...(cancelAtPeriodEnd !== undefined && { cancelAtPeriodEnd }),
  }
}

/**
 * The entitlement that a period belongs to which is known by its id already; without an id, the one at that moment. A
 * period that the subscription knows nothing of any more is taken for a month.
 */
export function entitlementIn(
  periodId: string | undefined,
  subscription: Subscription | undefined,
  now: Date,
): Entitlement {
  const start = new Date(periodId?.slice(periodId.indexOf(':') + 1) ?? now)
  const entitlement = entitlementAt(subscription, start)
  if (periodId === undefined || periodId === entitlement.period.id) return entitlement
  return { plan: entitlement.plan, period: { id: periodId, start, end: monthsAfter(start, 1) } }
}

function hasEnded(subscription: Subscription, now: Date): boolean {
  const { status, currentPeriodEnd, cancelAtPeriodEnd, pastDueSince } = subscription
  if (status === 'paused') return true
  const unpaid = status === 'past_due' && pastDueSince
  if (unpaid && now.getTime() >= unpaid.getTime() + PAST_DUE_GRACE_MS) return true
  if (status === 'cancelled' || cancelAtPeriodEnd) return !currentPeriodEnd || now >= currentPeriodEnd
  return false
}

function calendarMonth(now: Date): UsagePeriodSpan {
  const start = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth()))
  return span('month', start, monthsAfter(start, 1))
}

/** The month of a Stripe subscription that a moment is in; undefined without Stripe, or before it began. */
function paidMonth(subscription: Subscription, now: Date): UsagePeriodSpan | undefined {
  const { stripeSubscriptionId: id, currentPeriodStart: start, currentPeriodEnd: end } = subscription
  if (!id || !start || !end || now < start) return undefined
  // A renewed period starts where the last one ended: known before Stripe says so.
  if (now >= end) return monthWithin(id, end, undefined, now)
  return end.getTime() - start.getTime() < LONGEST_MONTH_MS
    ? span(id, start, end)
    : monthWithin(id, start, end, now)
}

/** The month, counted from `start`, that a moment is in; the last one ends at `end`. */
function monthWithin(id: string, start: Date, end: Date | undefined, now: Date): UsagePeriodSpan {
  let months = 0
  while (monthsAfter(start, months + 1) <= now) months++
  const next = monthsAfter(start, months + 1)
  return span(id, monthsAfter(start, months), end && end < next ? end : next)
}

/** The same time of day so many months on; on the last day of a month that has no such day. */
function monthsAfter(date: Date, months: number): Date {
  const shifted = new Date(date)
  shifted.setUTCMonth(date.getUTCMonth() + months)
  if (shifted.getUTCDate() !== date.getUTCDate()) shifted.setUTCDate(0)
  return shifted
}

function span(source: string, start: Date, end: Date): UsagePeriodSpan {
  return { id: `${source}:${start.toISOString()}`, start, end }
}
