import { patiently } from '../db/patience.js'
import { countHit } from '../domain/rate-counters.js'
import { env } from '../env.js'
import { AppError } from '../errors.js'
import { type Policy, type PolicyName, policies } from './policies.js'

/** How long an `open` policy waits for its counter before it lets the request pass uncounted, in milliseconds. */
const PATIENCE_MS = 500

/** What a client may know of the limit it was counted against. */
export interface LimitState {
  policy: PolicyName
  limit: number
  windowSeconds: number
  remaining: number
  /** Seconds until the window ends. */
  resetSeconds: number
}

/** A 429 that carries the state of the limit it ran into. */
export class RateLimited extends AppError {
  readonly limit: LimitState

  constructor(limit: LimitState) {
    super('rate_limited', undefined, { retryAfterSeconds: limit.resetSeconds })
    this.limit = limit
  }
}

/**
 * Counts a request against a policy. Returns undefined where an `open` policy could not count in time.
 *
 * @throws {RateLimited} when the limit is used up.
 * @throws {AppError} `unavailable` when a `closed` policy cannot count.
 */
export async function enforceLimit(
  name: PolicyName,
  key: string,
  now: Date,
): Promise<LimitState | undefined> {
  const policy: Policy = policies[name]
  const counting = countHit(name, key, policy.windowSeconds, now)
  const counted = await (policy.whenUnavailable === 'open' ? patiently(counting, PATIENCE_MS) : counting)
  if (counted === undefined) return undefined

  const limit = Math.ceil(policy.limit * env().rateLimitScale)
  const state: LimitState = {
    policy: name,
    limit,
    windowSeconds: policy.windowSeconds,
    remaining: Math.max(0, limit - counted.count),
    resetSeconds: Math.max(1, Math.ceil((counted.windowEndsAt.getTime() - now.getTime()) / 1000)),
  }
  if (counted.count > limit) throw new RateLimited(state)
  return state
}
