import type { ObjectId } from 'mongodb'
import { subscriptionOf } from '../accounts/user-profiles.js'
import { entitlementAt, entitlementIn, type Subscription } from '../billing/subscriptions.js'
import { callsSince, meteredCallOf, storeMetering } from '../calls/metered-calls.js'
import { DAY_MS, HOUR_MS } from '../durations.js'
import { plans } from './plans.js'
import { alertUsage } from './usage-alerts.js'
import { countOf, type MeteredCall } from './usage-entries.js'
import { meterCall } from './usage-metering.js'
import { ensurePeriod, type UsagePeriod, usagePeriodId, usagePeriods } from './usage-periods.js'

/** A call that was moved more recently is left to who moved it, and to `meterPendingCalls` after that. */
const LEFT_ALONE_MS = HOUR_MS

/** A call's document is written after its admission, and may carry a time from before it. */
const MARGIN_MS = 7 * DAY_MS

/** A little less than the cron's day, so that no day is missed for a second. */
const RECOMPUTED_EVERY_MS = 20 * HOUR_MS

/** A period is compared once more so long after its end, when its last calls are settled. */
const CLOSED_AFTER_MS = 2 * DAY_MS

/** How many periods one run of maintenance compares, and for how long it begins another. */
const MAX_PERIODS = 200
const RECOMPUTE_MS = 5_000

/** How often one user is compared anew when calls were found that nobody had metered. */
const MAX_ROUNDS = 3

interface Totals {
  calls: number
  seconds: number
}

const NONE: Totals = { calls: 0, seconds: 0 }

/** Totals that said something else than the calls do. */
export interface MendedUsage {
  userId: string
  periodId: string
  was: Totals
  is: Totals
}

export interface Recomputed {
  /** Calls whose metering a crash kept from being done or noted. */
  metered: number
  mended: MendedUsage[]
}

/**
 * Recomputes a user's periods from the calls, all that began since some time, and mends those that differ. Live
 * entries stand for their calls. Totals that move meanwhile are left as they are: the next time they are compared
 * again. For periods whose calls are all still there.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recomputeUsage(userId: ObjectId, since: Date, now: Date): Promise<Recomputed> {
  const subscription = await subscriptionOf(userId)
  let metered = 0
  for (let round = 1; ; round++) {
    const periods = await (await usagePeriods.open()).find({ userId, start: { $gte: since } }).toArray()
    const { tally, newlyMetered } = await tallyCalls(userId, since, periods, now)
    metered += newlyMetered
    // What was metered just now moved the totals that were read.
    if (newlyMetered > 0 && round < MAX_ROUNDS) continue
    return { metered, mended: await mendAll(userId, since, periods, tally, subscription, now) }
  }
}

/** What the calls of each period add up to, but for those that have an entry; meters those that nobody did. */
async function tallyCalls(
  userId: ObjectId,
  since: Date,
  periods: readonly UsagePeriod[],
  now: Date,
): Promise<{ tally: Map<string, Totals>; newlyMetered: number }> {
  const open = new Set(periods.flatMap(period => Object.values(period.open).map(entry => entry.sessionId)))
  const tally = new Map<string, Totals>()
  let newlyMetered = 0
  for await (const record of await callsSince(userId, new Date(since.getTime() - MARGIN_MS))) {
    if (open.has(record.sessionId)) continue
    const call = meteredCallOf(record)
    const isSettled = (record.updatedAt ?? record.createdAt).getTime() <= now.getTime() - LEFT_ALONE_MS
    if (isSettled && call.startedAt >= since && (await meterAgain(call, now))) newlyMetered += 1
    else if (call.metered) {
      const { periodId } = call.metered
      tally.set(periodId, sumOf([tally.get(periodId) ?? NONE, call.metered]))
    }
  }
  return { tally, newlyMetered }
}

/** Whether a call counts as something else than its document says. */
async function meterAgain(call: MeteredCall, now: Date): Promise<boolean> {
  const { metered } = call
  const counts = countOf(call)
  if (metered && metered.calls >= counts.calls && metered.seconds >= counts.seconds) return false
  const metering = await meterCall(call, now)
  if (call.status !== 'processing') await storeMetering(call.userId, call.sessionId, metering)
  return true
}

function sumOf(counted: readonly Totals[]): Totals {
  return counted.reduce(
    (sum, { calls, seconds }) => ({
      calls: sum.calls + calls,
      seconds: sum.seconds + seconds,
    }),
    NONE,
  )
}

async function mendAll(
  userId: ObjectId,
  since: Date,
  periods: readonly UsagePeriod[],
  tally: ReadonlyMap<string, Totals>,
  subscription: Subscription | undefined,
  now: Date,
): Promise<MendedUsage[]> {
  const known = new Map(periods.map(period => [period.periodId, period]))
  const mended: MendedUsage[] = []
  for (const periodId of new Set([...known.keys(), ...tally.keys()])) {
    const period = known.get(periodId) ?? (await restore(userId, since, periodId, subscription, now))
    if (!period) continue
    const was = { calls: period.calls, seconds: period.seconds }
    const is = sumOf([tally.get(periodId) ?? NONE, ...Object.values(period.open)])
    const differs = was.calls !== is.calls || was.seconds !== is.seconds
    if (differs && (await mend(period, is, now)))
      mended.push({ userId: userId.toHexString(), periodId, was, is })
  }
  return mended
}

/** The document of a period that only its calls know of; undefined for one from before that time. */
async function restore(
  userId: ObjectId,
  since: Date,
  periodId: string,
  subscription: Subscription | undefined,
  now: Date,
): Promise<UsagePeriod | undefined> {
  const entitlement = entitlementIn(periodId, subscription, now)
  if (entitlement.period.start < since) return undefined
  await ensurePeriod(userId, entitlement, now)
  const periods = await usagePeriods.open()
  return (await periods.findOne({ _id: usagePeriodId(userId, periodId) })) ?? undefined
}

/** Sets the totals unless the period moved since it was read. */
async function mend(
  { _id, calls, seconds, updatedAt }: UsagePeriod,
  is: Totals,
  now: Date,
): Promise<boolean> {
  const { modifiedCount } = await (await usagePeriods.open()).updateOne(
    { _id, calls, seconds, updatedAt },
    { $set: { ...is, updatedAt: now } },
  )
  return modifiedCount === 1
}

/**
 * Compares the periods that have waited for it longest with their calls: each about once a day while it goes on, and
 * once more when it is over. Brings the limits and the end of a current one to those of the subscription, and sends
 * the mails that a crash left. Returns what was mended, and how many periods are left for the next run.
 *
 * @param shouldStop whether to end before the next period.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function recomputeDue(
  now: Date,
  shouldStop: () => boolean = () => false,
): Promise<Recomputed & { periods: number; left: number }> {
  const startedAt = performance.now()
  const usage = await usagePeriods.open()
  const isDue = { recomputeAt: { $lte: now } }
  const report = { periods: 0, metered: 0, mended: [] as MendedUsage[] }
  while (report.periods < MAX_PERIODS && performance.now() - startedAt < RECOMPUTE_MS && !shouldStop()) {
    // Behind all others at once: one that cannot be compared keeps none of them waiting.
    const again = { $set: { recomputeAt: new Date(now.getTime() + RECOMPUTED_EVERY_MS) } }
    const due = await usage.findOneAndUpdate(isDue, again, { sort: { recomputeAt: 1 } })
    if (!due) break
    const { metered, mended } = await recomputeUsage(due.userId, due.start, now)
    report.periods += 1
    report.metered += metered
    report.mended.push(...mended)
    await refresh(due, now)
  }
  return { ...report, left: await usage.countDocuments(isDue, { limit: 1_000 }) }
}

/** Once a period was compared: its plan, end and mails while it goes on, and whether that was the last time. */
async function refresh({ _id, userId, periodId, end }: UsagePeriod, now: Date): Promise<void> {
  const periods = await usagePeriods.open()
  const { plan, period } = entitlementAt(await subscriptionOf(userId), now)
  if (period.id === periodId) {
    const update = { $set: { plan, limits: plans[plan], end: period.end } }
    const refreshed = await periods.findOneAndUpdate({ _id }, update, { returnDocument: 'after' })
    if (refreshed) await alertUsage(refreshed, now)
    return
  }
  if (now.getTime() >= end.getTime() + CLOSED_AFTER_MS)
    await periods.updateOne({ _id }, { $unset: { recomputeAt: '' } })
}
