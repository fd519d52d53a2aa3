import type { z } from 'zod'
import { MINUTE_MS } from './durations.js'

/** How far a client's clock may be ahead of ours before its times are not believed. */
const MAX_AHEAD_MS = 5 * MINUTE_MS

/** A field that clients may send as null where they have nothing to say. */
export function given<T extends z.ZodType>(field: T) {
  return field
    .nullish()
    .transform(value => value ?? undefined)
    .optional()
}

/** A client's time, unless it cannot be right: it is older than that, or in the future. */
export function plausibleTime(at: Date, now: Date, maxAgeMs: number): Date | undefined {
  const ageMs = now.getTime() - at.getTime()
  return ageMs <= maxAgeMs && ageMs >= -MAX_AHEAD_MS ? at : undefined
}
