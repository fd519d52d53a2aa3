import type { Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { cursorPage } from '../../db/keyset.js'
import { subscriptionOf } from '../accounts/user-profiles.js'
import { type Entitlement, entitlementAt, type Subscription } from '../billing/subscriptions.js'
import { DAY_MS } from '../durations.js'
import { isUnlimited, type PlanLimits, PlanName, plans } from './plans.js'
import { isSilentFromStart, isUnused } from './usage-entries.js'
import { type UsagePeriod, usagePeriodId, usagePeriods } from './usage-periods.js'

/** Why a call is not let through, in the words that old clients show. */
export const LimitReason = z.enum(['Monthly call limit exceeded', 'Monthly minute limit exceeded'])
export type LimitReason = z.infer<typeof LimitReason>

/** How much of something was used; a limit of null is none. */
const Quota = z.object({ used: z.number(), limit: z.number().nullable(), remaining: z.number().nullable() })

const PeriodSpan = z.object({ start: z.date(), end: z.date() })

/**
 * When calls and minutes run out at the rate of this period so far; null where they last until it ends, and where
 * too little was used to tell.
 */
const Forecast = z.object({
  basis: z.enum(['measured', 'too_little_data']),
  callsRunOutAt: z.date().nullable(),
  minutesRunOutAt: z.date().nullable(),
})

/** What `GET /api/user/usage` answers. */
export const UsageReport = z.object({
  allowed: z.boolean(),
  reason: LimitReason.optional(),
  plan: PlanName,
  period: PeriodSpan,
  /** Admitted calls included. */
  calls: Quota,
  /** Rounded for display: what counts is whole seconds. */
  minutes: Quota,
  forecast: Forecast,
})
export type UsageReport = z.infer<typeof UsageReport>

/**
 * What a user has used of the current period, whether another call would be admitted, and when the plan runs out.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function checkUsageLimits(user: ObjectId | { _id: ObjectId }, now: Date): Promise<UsageReport> {
  const userId = '_id' in user ? user._id : user
  return usageAt(userId, await subscriptionOf(userId), now)
}

/** The same, where the subscription is known already. */
export async function usageAt(
  userId: ObjectId,
  subscription: Subscription | undefined,
  now: Date,
): Promise<UsageReport> {
  const { plan, period } = entitlementAt(subscription, now)
  const limits = plans[plan]
  const stored = await findPeriod(userId, { plan, period })
  const used = { calls: stored ? usedCalls(stored, now) : 0, seconds: stored?.seconds ?? 0 }
  const reason = limitReached(limits, used)
  return {
    allowed: reason === undefined,
    ...(reason && { reason }),
    plan,
    period: { start: period.start, end: period.end },
    ...quotas(limits, used),
    forecast: forecast(limits, used, { since: stored?.createdAt ?? now, now, end: period.end }),
  }
}

/** The document of a period, without its entries where they decide nothing. */
async function findPeriod(userId: ObjectId, { plan, period }: Entitlement): Promise<UsagePeriod | null> {
  return (await usagePeriods.open()).findOne(
    { _id: usagePeriodId(userId, period.id) },
    isUnlimited(plans[plan]) ? { projection: { open: 0 } } : {},
  )
}

/** Without what the next admission would give back: reservations, and calls that fell silent from the start. */
function usedCalls({ calls, open = {} }: UsagePeriod, now: Date): number {
  const given = Object.values(open).filter(entry => isUnused(entry, now) || isSilentFromStart(entry, now))
  return calls - given.length
}

interface Used {
  calls: number
  seconds: number
}

/** Which limit of a plan is reached, if any. */
export function limitReached({ calls, minutes }: PlanLimits, used: Used): LimitReason | undefined {
  if (calls !== null && used.calls >= calls) return 'Monthly call limit exceeded'
  if (minutes !== null && used.seconds >= minutes * 60) return 'Monthly minute limit exceeded'
  return undefined
}

function quotas(limits: PlanLimits, used: Used): Pick<UsageReport, 'calls' | 'minutes'> {
  return { calls: quota(used.calls, limits.calls), minutes: quota(used.seconds / 60, limits.minutes) }
}

function quota(used: number, limit: number | null): z.infer<typeof Quota> {
  const remaining = limit === null ? null : twoDecimals(Math.max(0, limit - used))
  return { used: twoDecimals(used), limit, remaining }
}

function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100
}

/** Below these a rate says more about chance than about the user. */
const MEASURED_MS = DAY_MS
const MEASURED_CALLS = 3

/** The rate is that since the first use of the period: who signed up yesterday did not idle since the first. */
function forecast(
  limits: PlanLimits,
  used: Used,
  { since, now, end }: { since: Date; now: Date; end: Date },
): z.infer<typeof Forecast> {
  const elapsedMs = now.getTime() - since.getTime()
  const isMeasured = elapsedMs >= MEASURED_MS && used.calls >= MEASURED_CALLS
  const runOutAt = (amount: number, limit: number | null) => {
    if (limit === null) return null
    if (amount >= limit) return now
    if (!isMeasured || amount === 0) return null
    const at = new Date(since.getTime() + (elapsedMs * limit) / amount)
    return at < end ? at : null
  }
  return {
    basis: isMeasured ? 'measured' : 'too_little_data',
    callsRunOutAt: runOutAt(used.calls, limits.calls),
    minutesRunOutAt: runOutAt(used.seconds / 60, limits.minutes),
  }
}

/** One month of the history. */
export const UsageRow = UsageReport.pick({ plan: true, period: true, calls: true, minutes: true }).extend({
  id: z.string(),
})
export type UsageRow = z.infer<typeof UsageRow>

const PERIOD_ID = /^.{1,255}:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/

/** Which page of the history; `cursor` is the id of its last row. */
export const UsageHistoryQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(12),
  cursor: z
    .string()
    .max(300)
    .regex(PERIOD_ID, 'must be a nextCursor of an earlier page')
    .refine(id => !Number.isNaN(startOf(id).getTime()), 'must be a nextCursor of an earlier page')
    .optional(),
})

export const UsageHistoryPage = cursorPage(UsageRow)

/** A page of a user's periods, newest first; one without any use has no row. The limits are those that they had. */
export async function listUsageHistory(
  userId: ObjectId,
  { limit, cursor }: z.infer<typeof UsageHistoryQuery>,
  now: Date,
): Promise<z.infer<typeof UsageHistoryPage>> {
  const found = await (await usagePeriods.open())
    .find({ userId, ...(cursor !== undefined && olderThan(userId, cursor)) }, { projection: { open: 0 } })
    .sort({ start: -1, _id: -1 })
    .limit(limit + 1)
    .toArray()
  const items = await toRows(found.slice(0, limit), now)
  return { items, nextCursor: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}

/** Every period of a user, newest first, for its export. */
export async function usageOf(userId: ObjectId, now: Date): Promise<UsageRow[]> {
  const found = (await usagePeriods.open()).find({ userId }, { projection: { open: 0 } })
  return toRows(await found.sort({ start: -1, _id: -1 }).toArray(), now)
}

/** Two periods may start at once, where a subscription begins with the month: then the id decides. */
function olderThan(userId: ObjectId, periodId: string): Filter<UsagePeriod> {
  const start = startOf(periodId)
  const older = [{ start: { $lt: start } }, { _id: { $lt: usagePeriodId(userId, periodId) } }]
  return { start: { $lte: start }, $or: older }
}

function startOf(periodId: string): Date {
  return new Date(PERIOD_ID.exec(periodId)?.[1] ?? '')
}

/**
 * Periods that were read without their entries as rows. Those are read where there are some, since some may be over
 * that nobody has given back yet, or a sweep is just giving back: the row of a month says what its report does.
 */
async function toRows(periods: readonly UsagePeriod[], now: Date): Promise<UsageRow[]> {
  const open = periods.filter(({ sweepAt, limits }) => sweepAt && !isUnlimited(limits))
  const which = { _id: { $in: open.map(({ _id }) => _id) } }
  const read = open.length > 0 ? await (await usagePeriods.open()).find(which).toArray() : []
  const withEntries = new Map(read.map(period => [period._id, period]))
  return periods.map(period => toRow(withEntries.get(period._id) ?? period, now))
}

function toRow(period: UsagePeriod, now: Date): UsageRow {
  const { periodId, plan, start, end, limits, seconds } = period
  const used = { calls: usedCalls(period, now), seconds }
  return { id: periodId, plan, period: { start, end }, ...quotas(limits, used) }
}
