import { DAY_MS } from '../../lib/domain/durations.js'
import { recount } from '../../lib/domain/events/recount.js'
import { env } from '../../lib/env.js'
import { countWritten, type Tally } from '../support/table.js'
import { forgetDueMails, makeAccounts, makeCall } from './accounts.js'
import { callsOf } from './calls.js'
import { businesses } from './cast.js'
import type { Demonstration } from './demonstrations.js'
import { makeWidget, recordVisits, storeVisit } from './sites.js'
import { daysUntil, visitsOf } from './visits.js'

/** How much of the whole is done, and of what. */
export type Report = (done: number, fraction: number) => void

/** What a demonstration consists of, in numbers: before anything is written. */
export function planned(demonstration: Demonstration): Record<string, Tally> {
  const { _id: seed, madeAt } = demonstration
  const tallies: Record<string, Tally> = {}
  const add = (kind: string, count: number) => countWritten(tallies, kind, count)
  for (const business of businesses) {
    add('accounts', 1)
    add('widgets', business.site ? 1 : 0)
    add('calls', callsOf(business, seed, madeAt).length)
    for (const { started, left } of visitsIn(business, demonstration)) {
      add('events', started ? 2 : 1)
      add('leads', left === 'a lead' ? 1 : 0)
      add('chats', left === 'a chat' ? 1 : 0)
    }
  }
  return tallies
}

function visitsIn({ site }: (typeof businesses)[number], { _id: seed, madeAt, days }: Demonstration) {
  if (!site) return []
  return daysUntil(madeAt, days).flatMap(day => visitsOf(site, seed, day, madeAt))
}

/**
 * Makes a demonstration by what the API itself does: so lists, search, counters and usage are as its requests would
 * have left them. What is there already is not made again.
 *
 * @param isResumed counters may lack what an interruption kept from being counted.
 */
export async function make(
  demonstration: Demonstration,
  isResumed: boolean,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { _id: seed, madeAt, days } = demonstration
  const since = new Date(madeAt.getTime() - days * DAY_MS)
  const accounts = await makeAccounts(seed, since)
  const total = [...accounts.keys()].reduce(
    (sum, business) =>
      sum + callsOf(business, seed, madeAt).length + visitsIn(business, demonstration).length,
    0,
  )
  let done = 0
  const step = (count: number) => {
    signal.throwIfAborted()
    done += count
    report(done, done / total)
  }
  for (const [business, owner] of accounts) {
    for (const call of callsOf(business, seed, madeAt)) {
      await makeCall(owner._id, call)
      step(1)
    }
    if (!business.site) continue
    const project = await makeWidget(business.site, owner, seed, since)
    for (const day of daysUntil(madeAt, days)) {
      const visits = visitsOf(business.site, seed, day, madeAt)
      const endOfDay = new Date(Math.min(day.getTime() + DAY_MS - 1, madeAt.getTime()))
      await recordVisits(visits, project, seed, endOfDay)
      for (const visit of visits) {
        await storeVisit(visit, project, owner, seed, madeAt)
        step(1)
      }
    }
  }
  await forgetDueMails(accounts)
  if (isResumed) await recountDays(demonstration)
}

/** Mends the counters of the days whose events are all there still. */
export async function recountDays({ madeAt, days }: Demonstration): Promise<void> {
  const { eventRetentionDays = Number.POSITIVE_INFINITY } = env()
  const kept = Date.now() - (eventRetentionDays - 1) * DAY_MS
  for (const day of daysUntil(madeAt, days)) if (day.getTime() > kept) await recount(day)
}
