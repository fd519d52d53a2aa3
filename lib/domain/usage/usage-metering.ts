import { contended } from '../../db/errors.js'
import { sweepAccountMail } from '../accounts/account-mails.js'
import { subscriptionOf } from '../accounts/user-profiles.js'
import { entitlementIn } from '../billing/subscriptions.js'
import { isUnlimited, plans } from './plans.js'
import { alertUsage } from './usage-alerts.js'
import { advance, entryKey, type MeteredCall, type Metering, type UsageEntry } from './usage-entries.js'
import {
  changeEntry,
  ensurePeriod,
  type FoundEntry,
  findEntries,
  findPeriodBefore,
  giveBack,
  type UsagePeriod,
  usagePeriodId,
} from './usage-periods.js'
import { sweepPeriod } from './usage-settlement.js'

export type { MeteredCall, Metering } from './usage-entries.js'

/** Lets work go on after the answer. */
type Background = (task: Promise<unknown>) => void

/** How often a change begins anew when others move the same call: each time one of them got further. */
const MAX_ATTEMPTS = 100

/**
 * Brings the usage of the call's period to what the call is now; may be repeated and reordered. The period is the
 * one that admitted the call, else the one that it started in, and stays so. Each step is one conditional write on
 * the period's document: a crash after the call's document was written is mended by the retry, or by maintenance.
 *
 * @param background lets mails that this makes due, and what is left of calls that are over, wait for the answer;
 *   without it they wait for the next request or for maintenance.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function meterCall(call: MeteredCall, now: Date, background?: Background): Promise<Metering> {
  const key = entryKey(call.sessionId)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const { home, strays } = chooseHome(call, await findEntries(call.userId, key))
    for (const stray of strays) await giveBack(stray._id, key, stray.entry, now)
    const moved = home ? await moveEntry(home, call, key, now) : await openEntry(call, key, now)
    if (!moved) continue
    if (moved.period) await follow(moved.period, now, background)
    return moved.metering
  }
  throw contended()
}

/** The entry that is the call's: that of the period its document names, else the one that is furthest. */
function chooseHome(
  { metered }: MeteredCall,
  found: readonly FoundEntry[],
): { home: FoundEntry | undefined; strays: FoundEntry[] } {
  const home = metered ? found.find(({ periodId }) => periodId === metered.periodId) : found[0]
  return { home, strays: found.filter(entry => entry !== home) }
}

/** What became of an attempt; without a period where there was nothing to write. Undefined: to be tried again. */
type Moved = { metering: Metering; period?: UsagePeriod } | undefined

async function moveEntry(home: FoundEntry, call: MeteredCall, key: string, now: Date): Promise<Moved> {
  const { _id, periodId, limits, entry: before } = home
  const after = advance(before, call, now)
  const metering = meteringOf(periodId, after)
  if (after === before) return { metering }
  const change = { period: _id, key, before, after, withoutEntries: isUnlimited(limits) }
  const period = await changeEntry(change, now)
  return period ? { metering, period } : undefined
}

/** Of a call that was not admitted, or whose entry was dropped: then what it counts as is on its document. */
async function openEntry(call: MeteredCall, key: string, now: Date): Promise<Moved> {
  const { userId, sessionId, metered, startedAt } = call
  const dropped: UsageEntry | undefined = metered && {
    sessionId,
    state: 'final',
    calls: metered.calls,
    seconds: metered.seconds,
    dueAt: now,
  }
  const after = advance(dropped, call, now)
  if (metered && after === dropped) return { metering: metered }
  const subscription = await subscriptionOf(userId)
  const periodId = metered?.periodId ?? (await findPeriodBefore(userId, subscription, startedAt))
  const entitlement = entitlementIn(periodId, subscription, startedAt)
  const { id } = entitlement.period
  const period = usagePeriodId(userId, id)
  const withoutEntries = isUnlimited(plans[entitlement.plan])
  const change = { period, key, before: undefined, counted: metered, after, withoutEntries }
  const opened = await changeEntry(change, now)
  if (opened) return { metering: meteringOf(id, after), period: opened }
  await ensurePeriod(userId, entitlement, now)
  return undefined
}

function meteringOf(periodId: string, { calls, seconds }: UsageEntry): Metering {
  return { periodId, calls, seconds }
}

/**
 * What a changed period asks for beside. It is no part of the call, which is not refused for a mail that cannot be
 * asked for: what fails of it is done by the next call, or by maintenance.
 */
async function follow(period: UsagePeriod, now: Date, background: Background | undefined): Promise<void> {
  if (!background) {
    await alertUsage(period, now)
    return
  }
  background(alertAtOnce(period, now))
  if (period.sweepAt && period.sweepAt <= now) background(sweepPeriod(period._id, now))
}

async function alertAtOnce(period: UsagePeriod, now: Date): Promise<void> {
  if (await alertUsage(period, now)) await sweepAccountMail(now)
}
