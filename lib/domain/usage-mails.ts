import { env } from '../env.js'
import type { Message } from '../mail/mail.js'
import { usageLimitReached, usageWarning } from '../mail/templates.js'
import { checkUsageLimits } from './usage.js'
import { findUserByEmail, nameOf } from './users.js'

/** Of a limit, from which on it is nearly reached. */
export const WARNING_SHARE = 0.8

/**
 * Writes what a user is told of the usage, in the figures of the moment it is sent. Undefined where it is not true any
 * more: the plan is another one, or the next month has begun.
 */
export async function composeUsageMail(
  kind: 'usage-warning' | 'usage-limit',
  to: string,
  now: Date,
): Promise<Message | undefined> {
  const user = await findUserByEmail(to)
  if (!user) return undefined
  const { allowed, calls, minutes, period } = await checkUsageLimits(user, now)
  const given = { ...nameOf(user), calls, minutes, renewsAt: period.end, plansLink: env().appUrl }
  if (kind === 'usage-limit') return allowed ? undefined : { to, ...usageLimitReached(given) }
  const isNear = [calls, minutes].some(({ used, limit }) => limit !== null && used >= limit * WARNING_SHARE)
  return isNear ? { to, ...usageWarning(given) } : undefined
}
