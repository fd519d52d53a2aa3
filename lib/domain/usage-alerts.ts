import { enqueueOnce, type MailKind } from './mail-outbox.js'
import { type PlanLimits, plans } from './plans.js'
import { entitlementAt } from './subscriptions.js'
import { WARNING_SHARE } from './usage-mails.js'
import { type UsagePeriod, usagePeriods } from './usage-periods.js'
import { subscriptionOf } from './user-profiles.js'
import { findUser, statusOf } from './users.js'

/** At which part of a limit, of calls or of minutes, its user is told. */
const LEVELS = [
  { name: 'warning', share: WARNING_SHARE, mail: 'usage-warning' },
  { name: 'limit', share: 1, mail: 'usage-limit' },
] as const satisfies { name: keyof NonNullable<UsagePeriod['alertedAt']>; share: number; mail: MailKind }[]

/**
 * Tells a user by mail how much of the period is used, once for each level. What makes a mail due are the totals
 * themselves, and the outbox takes it once for a period: a crash before the period says so loses no mail and sends
 * none twice. A reservation tells nobody: its call may never start.
 *
 * @param period with its entries, unless its plan has no limits.
 * @returns whether there is a mail to send.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function alertUsage(period: UsagePeriod, now: Date): Promise<boolean> {
  if (period.end <= now || dueLevels(period, period.limits).length === 0) return false
  const [user, subscription] = await Promise.all([
    findUser(period.userId.toHexString()),
    subscriptionOf(period.userId),
  ])
  if (!user || statusOf(user) === 'deleted') return false
  // The limits of the document are those of the last admission: the plan may be another one since.
  const { plan, period: current } = entitlementAt(subscription, now)
  if (current.id !== period.periodId) return false
  let isDue = false
  for (const { name, mail } of dueLevels(period, plans[plan])) {
    if (!(await enqueueOnce(mail, user.email, period._id, now))) continue
    await (await usagePeriods.open()).updateOne({ _id: period._id }, { $min: { [`alertedAt.${name}`]: now } })
    isDue = true
  }
  return isDue
}

function dueLevels(period: UsagePeriod, limits: PlanLimits) {
  const part = usedPart(period, limits)
  return LEVELS.filter(({ name, share }) => part >= share && !period.alertedAt?.[name])
}

/** Of the calls or of the minutes, whichever is used up more. */
function usedPart({ calls, seconds, open = {} }: UsagePeriod, limits: PlanLimits): number {
  const reserved = Object.values(open).filter(({ state }) => state === 'reserved').length
  const ofCalls = limits.calls === null ? 0 : (calls - reserved) / limits.calls
  const ofMinutes = limits.minutes === null ? 0 : seconds / (limits.minutes * 60)
  return Math.max(ofCalls, ofMinutes)
}
