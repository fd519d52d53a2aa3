import { z } from 'zod'
import { collection } from '../db/collection.js'
import { retryOnNetworkError } from '../db/network-retry.js'
import { retryUpsert } from '../db/upsert.js'
import { digestOf } from './digest.js'

/** How often one key was seen in one window of one policy. */
export const RateCounter = z.object({
  /** Hash of policy, key and window: the key may be an address, which is nobody's to read. */
  _id: z.string(),
  count: z.number().int().positive(),
  expiresAt: z.date(),
})
export type RateCounter = z.infer<typeof RateCounter>

export const rateCounters = collection<RateCounter>({
  name: 'ratelimits',
  schema: RateCounter,
  indexes: [{ name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 }],
})

/**
 * Counts a hit in the window that contains `now` and returns how many there are, this one included. Atomic,
 * so that of any number of concurrent hits each gets a count of its own.
 *
 * @param weight how many the hit counts as.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function countHit(
  policy: string,
  key: string,
  windowSeconds: number,
  now: Date,
  weight = 1,
): Promise<{ count: number; windowEndsAt: Date }> {
  const windowMs = windowSeconds * 1000
  const window = Math.floor(now.getTime() / windowMs)
  const windowEndsAt = new Date((window + 1) * windowMs)
  const _id = digestOf([policy, key, window]).toString('base64url')
  const counters = await rateCounters.open()
  const hit = () =>
    counters.findOneAndUpdate(
      { _id },
      { $inc: { count: weight }, $setOnInsert: { expiresAt: windowEndsAt } },
      // A counter lost in a crash is no loss: it need not wait for the journal as what we acknowledge does.
      { upsert: true, returnDocument: 'after', writeConcern: { w: 1, journal: false } },
    )
  const counter = await retryUpsert(() => retryOnNetworkError(hit))
  return { count: counter?.count ?? weight, windowEndsAt }
}
