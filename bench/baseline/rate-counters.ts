import { createHash } from 'node:crypto'
import { RateCounter } from './models/rate-counter.js'

/** Counts a hit in the window that it falls into: how many there are, and how long the window still is. */
export async function countHit(
  policy: string,
  key: string,
  windowSeconds: number,
): Promise<{ count: number; resetSeconds: number }> {
  const now = Date.now()
  const window = Math.floor(now / windowSeconds / 1000)
  const expiresAt = new Date((window + 1) * windowSeconds * 1000)
  const _id = createHash('sha256')
    .update(JSON.stringify([policy, key, window]))
    .digest('base64url')
  const counter = await RateCounter.findOneAndUpdate(
    { _id },
    { $inc: { count: 1 }, $setOnInsert: { expiresAt } },
    { upsert: true, returnDocument: 'after' },
  ).lean()
  return { count: counter.count, resetSeconds: Math.ceil((expiresAt.getTime() - now) / 1000) }
}
