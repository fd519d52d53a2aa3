import { sweepAccountMail } from '../accounts/account-mails.js'
import { finishErasures } from '../accounts/erasure.js'
import { rereadCustomers } from '../billing/subscription-readings.js'
import { meterPendingCalls } from '../calls/conversation-metering.js'
import { deleteOldEvents } from '../events/event-retention.js'
import { recountDueDays } from '../events/recount-days.js'
import { followUpPending } from '../leads/lead-follow-up.js'
import { releaseStrayNumbers } from '../phones/phone-assignments.js'
import { recomputeDue } from '../usage/usage-recompute.js'
import { sweepUsage } from '../usage/usage-settlement.js'
import { finishHandOvers } from '../widgets/project-ownership.js'
import { ensureAllIndexes } from './health.js'
import { type Job, type MaintenanceOptions, MaintenanceReport, runJobs } from './maintenance-run.js'
import { migrations } from './migrations.js'

export { MaintenanceReport }

/**
 * Each on its own: one that fails keeps none of the others from running. Each may be done by two at once, so that a
 * run that was taken for dead does no harm.
 */
const jobs: readonly Job[] = [
  { name: 'indexes', run: makeIndexes },
  { name: 'pending-leads', run: followUpPending },
  { name: 'counters', run: recountUnlessMigrating },
  { name: 'unmetered-calls', run: meterPendingCalls },
  { name: 'hand-overs', run: finishHandOvers },
  { name: 'usage-entries', run: sweepUsage },
  { name: 'usage', run: recomputeDue },
  { name: 'mails', run: sweepAccountMail },
  { name: 'stray-phone-numbers', run: releaseStrayNumbers },
  { name: 'erasures', run: finishErasures },
  { name: 'subscriptions', run: rereadCustomers },
  { name: 'retention', run: deleteOldEvents },
]

/** What maintenance does, by name. */
export const maintenanceJobs: readonly string[] = jobs.map(({ name }) => name)

/**
 * Runs every job within a time; see `runJobs`.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export function maintain(
  now: Date,
  logFailure: (failure: unknown) => void,
  options?: MaintenanceOptions,
): Promise<MaintenanceReport> {
  return runJobs(jobs, now, logFailure, options)
}

async function makeIndexes(): Promise<void> {
  const failures = await ensureAllIndexes()
  const named = failures.map(({ collection, reason }) => `${collection} (${reason})`)
  if (named.length > 0) throw new Error(`Indexes that cannot be made: ${named.join(', ')}.`)
}

async function recountUnlessMigrating(now: Date, shouldStop: () => boolean): Promise<unknown> {
  // A migration counts what it brought when all of it is there: recounted meanwhile it would count twice.
  const unfinished = await (await migrations.open()).findOne({ state: { $ne: 'done' } })
  return unfinished ? { waitsForMigration: unfinished._id } : recountDueDays(now, shouldStop)
}
