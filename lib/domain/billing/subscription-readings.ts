import type { Filter } from 'mongodb'
import { readSubscriptions, type SubscriptionReading } from '../../billing/subscriptions.js'
import { env } from '../../env.js'
import { type UserProfile, userProfiles } from '../accounts/user-profiles.js'
import { DAY_MS, HOUR_MS } from '../durations.js'
import { PlanName } from '../usage/plans.js'
import type { Subscription } from './subscriptions.js'

/** What a reading of a customer's subscriptions found. */
export interface Reading {
  /** Nobody here has this customer, or Stripe does not: nothing was changed but when it was asked. */
  unknownTo: 'us' | 'stripe' | undefined
  /** The subscription that is running, or still waits for its first payment. */
  current: SubscriptionReading | undefined
  /** What an operator should look at, one sentence each. */
  remarks: string[]
}

/**
 * Makes a profile say what Stripe says of its subscription now. Whatever caused it, the state is read and not taken
 * from the cause, and it depends on nothing but what was read: any order of any causes ends in the same state.
 *
 * Of several readings at once none may overwrite a later one. Each notes the profile's revision before it asks
 * Stripe, writes only to that revision, and begins anew where it was overtaken. Stops after two other writes: the
 * second one's reading began after the first write, so it is newer than this request.
 *
 * @throws {AppError} `unavailable` while Stripe or the database is away, `not_configured` without a key.
 */
export async function readCustomer(customerId: string, now: Date): Promise<Reading> {
  const profiles = await userProfiles.open()
  let current: SubscriptionReading | undefined
  let first: number | undefined
  for (;;) {
    const profile = await profiles.findOne({ 'subscription.stripeCustomerId': customerId })
    const stored = profile?.subscription
    if (!stored) return { unknownTo: 'us', current: undefined, remarks: [] }
    const { revision = 0 } = stored
    first ??= revision
    if (revision >= first + 2) return { unknownTo: undefined, current, remarks: [] }

    const readings = await readSubscriptions(customerId, stored.stripeSubscriptionId ?? undefined)
    const asFound: Filter<UserProfile> = {
      userId: profile.userId,
      'subscription.stripeCustomerId': customerId,
      'subscription.revision': stored.revision ?? { $exists: false },
    }
    if (!readings) {
      await profiles.updateOne(asFound, { $set: { 'subscription.readAt': now } })
      const remarks = isRunning(stored) ? [`Stripe does not know ${customerId}.`] : []
      return { unknownTo: 'stripe', current: undefined, remarks }
    }
    current = readings.filter(isUnderWay).sort(byWeight)[0]
    const [chosen] = readings.filter(reading => counts(reading, stored)).sort(byWeight)
    const read = { 'subscription.revision': revision + 1, 'subscription.readAt': now, updatedAt: now }
    const { fields, gone, remarks } = chosen
      ? changeTo(chosen, stored)
      : changeWithout(readings, customerId, stored, now)
    const { matchedCount } = await profiles.updateOne(asFound, {
      $set: { ...fields, ...read },
      ...(Object.keys(gone).length > 0 && { $unset: gone }),
    })
    if (matchedCount === 1)
      return { unknownTo: undefined, current, remarks: [...remarks, ...twins(readings)] }
  }
}

/**
 * Stripe's statuses as ours, in the order in which they count where there are several. One that is `unpaid` is one
 * whose payment failed for longer: its seven days have begun as long ago. One that is `incomplete` has not begun,
 * and one that is `incomplete_expired` never did.
 */
const statuses = new Map<string, NonNullable<Subscription['status']>>([
  ['active', 'active'],
  ['trialing', 'active'],
  ['past_due', 'past_due'],
  ['unpaid', 'past_due'],
  ['paused', 'paused'],
  ['canceled', 'cancelled'],
])
const order = [...statuses.keys(), 'incomplete']

function byWeight(a: SubscriptionReading, b: SubscriptionReading): number {
  return (
    order.indexOf(a.status) - order.indexOf(b.status) ||
    lastsUntil(b) - lastsUntil(a) ||
    b.createdAt.getTime() - a.createdAt.getTime() ||
    a.id.localeCompare(b.id)
  )
}

/** Until when one that is over was paid for; of those that go on none comes before another for that. */
function lastsUntil(reading: SubscriptionReading): number {
  const endsAt = reading.status === 'canceled' ? endOf(reading, periodEndOf(reading)) : undefined
  return endsAt?.getTime() ?? 0
}

/** Whether a profile is to say what a subscription is. One that is over ends no plan that an operator gave since. */
function counts({ status }: SubscriptionReading, { stripeSubscriptionId, plan }: Subscription): boolean {
  const isGiven = !stripeSubscriptionId && plan !== 'free'
  return statuses.has(status) && !(isGiven && status === 'canceled')
}

/** Whether a second subscription beside it would be one too many. */
function isUnderWay({ status }: SubscriptionReading): boolean {
  return order.includes(status) && status !== 'canceled'
}

function twins(readings: readonly SubscriptionReading[]): string[] {
  const ids = readings.filter(isUnderWay).map(({ id }) => id)
  return ids.length > 1 ? [`One customer has several subscriptions: ${ids.join(', ')}.`] : []
}

/** Whether a profile says of a subscription of Stripe's that it goes on; one of the old system has null for none. */
function isRunning({ stripeSubscriptionId, status }: Subscription): boolean {
  return Boolean(stripeSubscriptionId) && status !== 'cancelled'
}

interface Change {
  fields: Record<string, unknown>
  gone: Record<string, ''>
  remarks: string[]
}

function changeTo(reading: SubscriptionReading, stored: Subscription): Change {
  const known = knownItemOf(reading)
  const item = known ?? reading.items[0]
  const periodEnd = periodEndOf(reading)
  const status = statuses.get(reading.status)
  const endsAt = endOf(reading, periodEnd)
  const isFromBefore = stored.stripeSubscriptionId && stored.stripeSubscriptionId !== reading.id
  const next: Subscription = {
    // What was bought is not known: what was there stays, but for the plan of a subscription before this one.
    plan: (known && planOf(known.priceId)) ?? (isFromBefore ? 'free' : stored.plan),
    status,
    stripeSubscriptionId: reading.id,
    currentPeriodStart: item?.currentPeriodStart ?? reading.createdAt,
    currentPeriodEnd: endsAt ?? periodEnd,
    cancelAtPeriodEnd: status !== 'cancelled' && endsAt !== undefined,
  }
  const pastDueSince = reading.unpaidSince ?? next.currentPeriodStart
  return {
    fields: Object.fromEntries([
      ...Object.entries(next).map(([name, value]) => [`subscription.${name}`, value]),
      ...(status === 'past_due' ? [['subscription.pastDueSince', pastDueSince]] : []),
    ]),
    gone: status === 'past_due' ? {} : { 'subscription.pastDueSince': '' },
    remarks: known ? [] : [`${reading.id} has no price that is configured: its plan is left as it was.`],
  }
}

/**
 * What becomes of a subscription that Stripe does not have of a customer whom it knows: the customer took the place of
 * another one, and nobody is asked to pay for it any more. It lasts as long as it was paid for.
 */
function changeWithout(
  readings: readonly SubscriptionReading[],
  customerId: string,
  stored: Subscription,
  now: Date,
): Change {
  const isThere = readings.some(({ id }) => id === stored.stripeSubscriptionId)
  if (isThere || !isRunning(stored)) return { fields: {}, gone: {}, remarks: [] }
  const { stripeSubscriptionId, status } = stored
  const currentPeriodEnd = stored.currentPeriodEnd ?? now
  const isPaid = status !== 'past_due' && status !== 'paused'
  return {
    fields: {
      'subscription.status': 'cancelled',
      'subscription.cancelAtPeriodEnd': false,
      'subscription.currentPeriodEnd': isPaid ? currentPeriodEnd : earlier(currentPeriodEnd, now),
    },
    gone: { 'subscription.pastDueSince': '' },
    remarks: [`${customerId} does not have ${stripeSubscriptionId}: it counts as cancelled.`],
  }
}

function knownItemOf({ items }: SubscriptionReading): SubscriptionReading['items'][number] | undefined {
  return items.find(({ priceId }) => planOf(priceId) !== undefined)
}

function periodEndOf(reading: SubscriptionReading): Date {
  const { items, endedAt, createdAt } = reading
  return (knownItemOf(reading) ?? items[0])?.currentPeriodEnd ?? endedAt ?? createdAt
}

function planOf(priceId: string): PlanName | undefined {
  const { stripePrices } = env()
  return PlanName.exclude(['free']).options.find(plan => stripePrices[plan].includes(priceId))
}

/**
 * When a subscription ends, if it does within its period. Cancelled at once, it lasts as long as it is paid for, and
 * no longer where it was not paid or the money was claimed back.
 */
function endOf(reading: SubscriptionReading, periodEnd: Date): Date | undefined {
  const { status, cancelAt, endedAt, isPaid, isDisputed } = reading
  if (status === 'canceled')
    return isPaid && !isDisputed ? periodEnd : earlier(endedAt ?? periodEnd, periodEnd)
  return cancelAt && cancelAt <= periodEnd ? cancelAt : undefined
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b
}

/** How long after the end of a period Stripe has had time to say what is next: it charges an hour later. */
const SETTLED_MS = 3 * HOUR_MS

/** A little less than the cron's day, so that no day is missed for a second. */
const READ_EVERY_MS = 20 * HOUR_MS

/** For how long one share of maintenance begins to read customers of whom no news is overdue. */
const READ_MS = 5_000

/** How many customers are read at once: far from Stripe's limit of requests, which webhooks and checkouts share. */
const READ_AT_ONCE = 5

/** For how long a page that was opened may have sold something: it is open for a day, and a payment may take weeks. */
const CHECKOUT_MS = 30 * DAY_MS

/** What a sweep read of customers at Stripe. */
export interface Reread {
  read: number
  remarks: string[]
  /** How many have waited since yesterday, counted up to 1,000. */
  left: number
}

/**
 * Reads customers again, since webhooks may have been lost: those first whose period is over without any news of it,
 * then every other of whom there may be news and who was not read for a day, the longest unread first. Who bought a
 * plan, paid a failed invoice or changed to a price that was configured only later has it by then.
 *
 * @param shouldStop whether to end before the next one.
 * @throws what kept the last one that could not be read from it, once all the others are.
 */
export async function rereadCustomers(now: Date, shouldStop: () => boolean = () => false): Promise<Reread> {
  const swept: Reread = { read: 0, remarks: [], left: 0 }
  if (!env().stripeSecretKey) return swept
  const profiles = await userProfiles.open()
  const startedAt = performance.now()
  const isOver = () => performance.now() - startedAt >= READ_MS || shouldStop()
  const unread = unreadAt(now)
  const tried = new Set<string>()
  let failure: unknown
  async function reread(id: string): Promise<void> {
    try {
      const { remarks } = await readCustomer(id, now)
      swept.read += 1
      swept.remarks.push(...remarks)
    } catch (error) {
      failure = error
    }
  }
  async function rereadAll(which: Filter<UserProfile>, isEnough: () => boolean): Promise<void> {
    const due = profiles
      .find(which)
      .project<Pick<UserProfile, 'subscription'>>({ 'subscription.stripeCustomerId': 1 })
      .sort({ 'subscription.readAt': 1 })
    let underWay: Promise<void>[] = []
    for await (const { subscription } of due) {
      if (isEnough()) break
      const id = subscription?.stripeCustomerId
      if (!id || tried.has(id)) continue
      tried.add(id)
      underWay.push(reread(id))
      if (underWay.length < READ_AT_ONCE) continue
      await Promise.all(underWay)
      underWay = []
    }
    await Promise.all(underWay)
  }
  await rereadAll(overdueAt(now), shouldStop)
  await rereadAll(unread, isOver)
  if (failure !== undefined) throw failure
  return { ...swept, left: await profiles.countDocuments(unread, { limit: 1_000 }) }
}

/** Customers whose period is over, and whom nobody read since Stripe has had its time. */
function overdueAt(now: Date): Filter<UserProfile> {
  const settledBy = new Date(now.getTime() - SETTLED_MS)
  return {
    ...notReadSince(settledBy),
    'subscription.status': { $in: ['active', 'past_due', 'paused'] },
    'subscription.currentPeriodEnd': { $lt: settledBy },
  }
}

/** Customers who were not read for a day, and have a running subscription or opened a page to buy one. */
function unreadAt(now: Date): Filter<UserProfile> {
  return {
    ...notReadSince(new Date(now.getTime() - READ_EVERY_MS)),
    $or: [
      // As `isRunning` has it.
      { 'subscription.stripeSubscriptionId': { $gt: '' }, 'subscription.status': { $ne: 'cancelled' } },
      { 'subscription.checkoutAt': { $gt: new Date(now.getTime() - CHECKOUT_MS) } },
    ],
  }
}

/** Customers who were not read since some time, those included who never were. */
function notReadSince(time: Date): Filter<UserProfile> {
  return {
    'subscription.stripeCustomerId': { $gt: '' },
    'subscription.readAt': { $not: { $gte: time } },
  }
}
