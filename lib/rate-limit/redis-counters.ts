import { hash } from 'node:crypto'
import type { Ratelimit } from '@upstash/ratelimit'
import { env } from '../env.js'
import { CircuitBreaker } from './circuit-breaker.js'

/** For how long Redis is left alone after it failed, in milliseconds. */
const PAUSE_MS = 5_000

/** How many used-up keys are remembered at most: each is refused without asking Redis again. */
const MAX_REMEMBERED_KEYS = 10_000

/** What stands in for Redis may answer with a whole page. */
const MAX_REASON_LENGTH = 200

/** What is counted, how many at once, and how much of it is admitted. */
export interface Counter {
  policy: string
  key: string
  weight: number
  limit: number
  windowSeconds: number
}

/** One hit as a limiter has counted it. */
export interface Hit {
  admitted: boolean
  remaining: number
  windowEndsAt: Date
}

/** Why Redis did not count. Without what the client says of a failed command: the keys in it are of people. */
class RedisFailure extends Error {
  constructor(reason: string) {
    super(`Redis does not count rate limits, MongoDB does: ${reason}`)
    this.name = 'RedisFailure'
  }
}

const breaker = new CircuitBreaker(PAUSE_MS)
/** Which keys are used up and until when, in milliseconds since the epoch: what the limiters remember. */
const usedUp = new Map<string, number>()
let connecting: Promise<(counter: Counter) => Ratelimit> | undefined

/**
 * Counts a hit in the deployment's Redis, in the window that contains this moment. Undefined without a Redis, or where
 * it does not count within `RATE_LIMIT_TIMEOUT_MS`, which is reported once a pause. Windows are fixed and start with
 * those of the MongoDB limiter, so that a limit means the same in both; where one takes over from the other within a
 * window, each admits the whole limit.
 */
export async function countHitInRedis(
  counter: Counter,
  report: (failure: unknown) => void,
): Promise<Hit | undefined> {
  const { redisUrl: url, redisToken: token } = env()
  if (url === undefined || token === undefined) return undefined
  return breaker.run(
    () => {
      connecting ??= connect({ url, token })
      return count(counter, connecting)
    },
    failure => {
      // An answer from memory would look as if Redis were back.
      usedUp.clear()
      report(new RedisFailure(reasonOf(failure)))
    },
  )
}

async function count(counter: Counter, connection: NonNullable<typeof connecting>): Promise<Hit> {
  const limiterOf = await connection
  if (usedUp.size > MAX_REMEMBERED_KEYS) usedUp.clear()
  // A key may be an address, which is nobody's to read.
  const key = hash('sha256', counter.key, 'base64url')
  const { success, remaining, reset, reason } = await limiterOf(counter).limit(key, { rate: counter.weight })
  // The limiter lets pass what it had no time for.
  if (reason === 'timeout') throw new Error('no answer in time')
  if (!Number.isFinite(remaining)) {
    // The limiter took it for a limit that is used up.
    usedUp.clear()
    throw new Error('it answers something else than a count')
  }
  return { admitted: success, remaining, windowEndsAt: new Date(reset) }
}

/** Loads the client, which is no part of a cold start without a Redis. */
async function connect(credentials: {
  url: string
  token: string
}): Promise<(counter: Counter) => Ratelimit> {
  const [{ Ratelimit }, { Redis }] = await Promise.all([
    import('@upstash/ratelimit'),
    import('@upstash/redis'),
  ])
  const { production, rateLimitTimeoutMs: timeout } = env()
  const redis = new Redis({
    ...credentials,
    // At once: a connection that was kept while the function was frozen is often closed.
    retry: { retries: 1, backoff: () => 0 },
    signal: () => AbortSignal.timeout(timeout),
    enableTelemetry: false,
  })
  // Previews often have the Redis of production.
  const prefix = `leadline:${production ? 'production' : 'preview'}`
  const limiters = new Map<string, Ratelimit>()
  return ({ policy, limit, windowSeconds }) => {
    const known = limiters.get(policy)
    if (known) return known
    const limiter = new Ratelimit({
      redis,
      limiter: Ratelimit.fixedWindow(limit, `${windowSeconds} s`),
      prefix: `${prefix}:${policy}`,
      timeout,
      ephemeralCache: usedUp,
      enableTelemetry: false,
    })
    limiters.set(policy, limiter)
    return limiter
  }
}

function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return typeof failure
  const { code } = (failure.cause ?? {}) as { code?: unknown }
  const said = failure.message.split(', command was:')[0]?.slice(0, MAX_REASON_LENGTH)
  return [said, code].filter(Boolean).join(' ')
}
