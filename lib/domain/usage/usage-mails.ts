import { env } from '../../env.js'
import type { Message } from '../../mail/mail.js'
import { usageLimitReached, usageWarning } from '../../mail/templates.js'
import { subscriptionOf } from '../accounts/user-profiles.js'
import { findUserByEmail, nameOf } from '../accounts/users.js'
import { entitlementAt } from '../billing/subscriptions.js'
import { usageAt } from './usage.js'
import {
  type AlertLevel,
  alertKey,
  alertSubject,
  readAlertSubject,
  usagePeriodId,
  usagePeriods,
} from './usage-periods.js'

/** Of a limit, from which on it is nearly reached. */
export const WARNING_SHARE = 0.8

/**
 * Writes what a user is told of the usage, in the figures of the moment it is sent, and notes it in the period.
 * Undefined where it is not true any more: the plan is another one, the next month has begun, or a call was given back.
 *
 * @param about the period and the plan that it is to tell of, by `alertSubject`.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function composeUsageMail(
  level: AlertLevel,
  to: string,
  about: string | undefined,
  now: Date,
): Promise<Message | undefined> {
  const told = readAlertSubject(about)
  const user = await findUserByEmail(to)
  // Before a mail was about a plan it was about a period alone: that one is asked for again.
  if (!told || !user) return undefined
  const subscription = await subscriptionOf(user._id)
  const { allowed, plan, calls, minutes, period } = await usageAt(user._id, subscription, now)
  const current = alertSubject(usagePeriodId(user._id, entitlementAt(subscription, now).period.id), plan)
  const isNear = [calls, minutes].some(({ used, limit }) => limit !== null && used >= limit * WARNING_SHARE)
  const isTrue = about === current && (level === 'limit' ? !allowed : isNear)
  const mark = `alertedAt.${alertKey(told.plan, level)}`
  // Taken back too: an earlier attempt may have written a mail that could not be sent.
  await (await usagePeriods.open()).updateOne(
    { _id: told.period },
    isTrue ? { $set: { [mark]: now } } : { $unset: { [mark]: '' } },
  )
  if (!isTrue) return undefined
  const given = { ...nameOf(user), calls, minutes, renewsAt: period.end, plansLink: env().appUrl }
  return { to, ...(level === 'limit' ? usageLimitReached(given) : usageWarning(given)) }
}
