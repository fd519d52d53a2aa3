import { patiently } from '../db/patience.js'
import { countHit } from '../domain/rate-counters.js'
import { env } from '../env.js'
import { AppError } from '../errors.js'
import { type Policy, type PolicyName, policies } from './policies.js'
import { type Counter, countHitInRedis, type Hit } from './redis-counters.js'

/** How long an `open` policy waits for MongoDB before it lets the request pass uncounted, in milliseconds. */
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
 * Counts a request against a policy: in Redis where the deployment has one that answers, else in MongoDB. Returns
 * undefined where an `open` policy could not be counted in time by either.
 *
 * @param report is told of a Redis that fails, which does not change the answer.
 * @param weight how many the request counts as.
 * @throws {RateLimited} when the limit is used up.
 * @throws {AppError} `unavailable` when a `closed` policy cannot be counted.
 */
export async function enforceLimit(
  name: PolicyName,
  key: string,
  now: Date,
  report: (failure: unknown) => void = () => {},
  weight = 1,
): Promise<LimitState | undefined> {
  const policy: Policy = policies[name]
  const { windowSeconds } = policy
  const counting = count({ policy: name, key, weight, windowSeconds }, policy, now, report)
  const hit = await (policy.whenUnavailable === 'open' ? patiently(counting) : counting)
  if (hit === undefined) return undefined

  const state: LimitState = {
    policy: name,
    limit: hit.limit,
    windowSeconds,
    remaining: hit.remaining,
    resetSeconds: Math.max(1, Math.ceil((hit.windowEndsAt.getTime() - now.getTime()) / 1000)),
  }
  if (!hit.admitted) throw new RateLimited(state)
  return state
}

async function count(
  counted: Omit<Counter, 'limit'>,
  { whenUnavailable, ...policy }: Policy,
  now: Date,
  report: (failure: unknown) => void,
): Promise<(Hit & { limit: number }) | undefined> {
  // In here: an environment that is not valid is like a store that is away.
  const limit = Math.ceil(policy.limit * env().rateLimitScale)
  const counter = { ...counted, limit }
  const inDatabase = () => countHitInDatabase(counter, now)
  const hit =
    (await countHitInRedis(counter, report)) ??
    (await (whenUnavailable === 'open' ? patiently(inDatabase(), PATIENCE_MS) : inDatabase()))
  return hit && { ...hit, limit }
}

async function countHitInDatabase(counter: Counter, now: Date): Promise<Hit> {
  const { policy, key, weight, limit, windowSeconds } = counter
  const { count, windowEndsAt } = await countHit(policy, key, windowSeconds, now, weight)
  return { admitted: count <= limit, remaining: Math.max(0, limit - count), windowEndsAt }
}
