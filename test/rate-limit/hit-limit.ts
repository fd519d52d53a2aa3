import { closeDatabase } from '../../lib/db/client.js'
import { enforceLimit, RateLimited } from '../../lib/rate-limit/enforce.js'
import type { PolicyName } from '../../lib/rate-limit/policies.js'

/** What a process of its own is told to do. */
export interface Order {
  policy: PolicyName
  key: string
  /** Milliseconds since the epoch. */
  now: number
  times: number
}

/**
 * How many of so many concurrent requests a limit admits, and how many it refuses.
 *
 * @throws where Redis failed, since MongoDB would admit as many again.
 */
export async function hitLimit({
  policy,
  key,
  now,
  times,
}: Order): Promise<{ admitted: number; refused: number }> {
  const failures: unknown[] = []
  const report = (failure: unknown) => failures.push(failure)
  const hits = Array.from({ length: times }, () => enforceLimit(policy, key, new Date(now), report))
  const outcomes = await Promise.allSettled(hits)
  if (failures.length > 0) throw failures[0]
  const failed = outcomes.filter(outcome => outcome.status === 'rejected').map(({ reason }) => reason)
  const other = failed.find(reason => !(reason instanceof RateLimited))
  if (other !== undefined) throw other
  return { admitted: times - failed.length, refused: failed.length }
}

// Started with a channel to its parent, this file is that process. It is ready when it has connected, so that two
// of them hit at the same time.
if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  process.on('message', async (order: Order) => {
    // What counts in Redis goes by the clock.
    Date.now = () => order.now
    process.send?.(await hitLimit(order))
    await closeDatabase()
    process.disconnect()
  })
  await enforceLimit('read', `warm-up ${process.pid}`, new Date())
  process.send('ready')
}
