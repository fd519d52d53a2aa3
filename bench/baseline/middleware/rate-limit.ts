import type { Request, RequestHandler } from 'express'
import { ApiError } from '../errors.js'
import { countHit } from '../rate-counters.js'

/** Counts requests in the database, by the window and what they are keyed on, and refuses those over the limit. */
export function rateLimit(policy: {
  name: string
  limit: number
  windowSeconds: number
  keyOf(request: Request): string
}): RequestHandler {
  const { name, windowSeconds, keyOf } = policy
  const limit = policy.limit * Number(process.env.RATE_LIMIT_SCALE ?? 1)
  return async (request, response, next) => {
    const { count, resetSeconds } = await countHit(name, keyOf(request), windowSeconds)
    response.set({
      'RateLimit-Policy': `"${name}";q=${limit};w=${windowSeconds}`,
      RateLimit: `"${name}";r=${Math.max(0, limit - count)};t=${resetSeconds}`,
    })
    if (count > limit) {
      response.set('Retry-After', String(resetSeconds))
      throw new ApiError(429, 'rate_limited', 'Too many requests.')
    }
    next()
  }
}
