import { entitlementAt } from '../lib/domain/billing/subscriptions.js'
import { entryKey, type UsageEntry } from '../lib/domain/usage/usage-entries.js'
import { newPeriod, UsagePeriod, usagePeriods } from '../lib/domain/usage/usage-periods.js'
import { accountAt } from './accounts.js'
import type { BenchDatabase } from './database.js'

/** How many months of usage an account has, the last of them the one that it is stored in. */
export const MONTHS = 24

const BATCH = 10_000
const OPEN_CALLS = 3
const HOUR_MS = 60 * 60 * 1000

/** Stores so many periods of usage: two years of the first account, then of the next. */
export async function storeUsage({ db }: BenchDatabase, count: number, signal: AbortSignal): Promise<void> {
  const now = new Date()
  const collection = db.collection<UsagePeriod>(usagePeriods.name)
  // Before the rows: while it makes an index the embedded database answers nobody.
  await collection.createIndexes(usagePeriods.indexes.map(index => ({ ...index })))
  UsagePeriod.parse(periodAt(0, now))
  for (let from = 0; from < count; from += BATCH) {
    signal.throwIfAborted()
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => periodAt(from + i, now))
    await collection.insertMany(batch, { ordered: false })
  }
}

/** Of the current month some calls are open; the one before is compared with its calls once more. */
function periodAt(position: number, now: Date): UsagePeriod {
  const userId = accountAt(Math.floor(position / MONTHS))._id
  const monthsAgo = position % MONTHS
  const at = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsAgo))
  const entitlement = entitlementAt(undefined, at)
  const { recomputeAt, ...period } = newPeriod(userId, entitlement, entitlement.period.start)
  const calls = 4 + (position % 5)
  return {
    ...period,
    calls,
    seconds: 74 * calls,
    open: monthsAgo === 0 ? openCalls(position, now) : {},
    ...(monthsAgo === 0 && { sweepAt: now }),
    ...(monthsAgo < 2 && { recomputeAt: now }),
  }
}

function openCalls(position: number, now: Date): Record<string, UsageEntry> {
  const sessionIds = Array.from({ length: OPEN_CALLS }, (_, i) => `open-${position}-${i}`)
  const dueAt = new Date(now.getTime() + HOUR_MS)
  return Object.fromEntries(
    sessionIds.map(sessionId => [
      entryKey(sessionId),
      { sessionId, state: 'live', calls: 1, seconds: 74, dueAt },
    ]),
  )
}
