import { subscriptionOf } from '../accounts/user-profiles.js'
import { findUser, statusOf } from '../accounts/users.js'
import { entitlementAt } from '../billing/subscriptions.js'
import { enqueueOnce } from '../mail-outbox.js'
import { type PlanName, plans } from './plans.js'
import { WARNING_SHARE } from './usage-mails.js'
import { type AlertLevel, alertKey, alertSubject, type UsagePeriod } from './usage-periods.js'

/** At which part of a limit, of calls or of minutes, its user is told. */
const LEVELS = [
  { level: 'warning', share: WARNING_SHARE },
  { level: 'limit', share: 1 },
] as const satisfies { level: AlertLevel; share: number }[]

/**
 * Tells a user by mail how much of the period is used, once for each level of each plan that it has. What makes a mail
 * due are the totals themselves, and the outbox takes it once for a period and a plan: a crash loses no mail and sends
 * none twice. The period says that its user was told once the mail is written (see `composeUsageMail`), so that one
 * that was not true by then is asked for again. A reservation tells nobody: its call may never start.
 *
 * @param period with its entries, unless its plan has no limits.
 * @returns whether there is a mail to send.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function alertUsage(period: UsagePeriod, now: Date): Promise<boolean> {
  if (dueLevels(period, period.plan).length === 0) return false
  const [user, subscription] = await Promise.all([
    findUser(period.userId.toHexString()),
    subscriptionOf(period.userId),
  ])
  if (!user || statusOf(user) === 'deleted') return false
  // The document's plan is that of the last admission: it may be another one since.
  const { plan, period: current } = entitlementAt(subscription, now)
  if (current.id !== period.periodId) return false
  let isDue = false
  for (const { level } of dueLevels(period, plan))
    if (await enqueueOnce(`usage-${level}`, user.email, alertSubject(period._id, plan), now)) isDue = true
  return isDue
}

function dueLevels(period: UsagePeriod, plan: PlanName) {
  const { alertedAt = {} } = period
  const part = usedPart(period, plan)
  return LEVELS.filter(
    ({ level, share }) => part >= share && !alertedAt[alertKey(plan, level)] && !alertedAt[level],
  )
}

/** Of the calls or of the minutes, whichever is used up more. */
function usedPart({ calls, seconds, open = {} }: UsagePeriod, plan: PlanName): number {
  const limits = plans[plan]
  const reserved = Object.values(open).filter(({ state }) => state === 'reserved').length
  const ofCalls = limits.calls === null ? 0 : (calls - reserved) / limits.calls
  const ofMinutes = limits.minutes === null ? 0 : seconds / (limits.minutes * 60)
  return Math.max(ofCalls, ofMinutes)
}
