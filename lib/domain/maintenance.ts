import { z } from 'zod'
import { sweepAccountMail } from './account-mails.js'
import { meterPendingCalls } from './conversation-metering.js'
import { finishErasures } from './erasure.js'
import { ensureAllIndexes } from './health.js'
import { followUpPending } from './lead-follow-up.js'
import { releaseStrayNumbers } from './phone-assignments.js'
import { finishHandOvers } from './project-ownership.js'
import { recount } from './recount.js'
import { rereadOverdue } from './subscription-readings.js'
import { recomputeDue } from './usage-recompute.js'
import { sweepUsage } from './usage-settlement.js'

const DAY_MS = 24 * 60 * 60 * 1000

/** How many past days are recounted: the cron is daily, so one day is a day it may miss. */
const RECOUNTED_DAYS = 2

/** One thing that maintenance does; what it returns is reported. */
interface Job {
  name: string
  run(now: Date): Promise<unknown>
}

/** In this order, each on its own: one that fails keeps none of the others from running. */
const jobs: readonly Job[] = [
  { name: 'indexes', run: ensureAllIndexes },
  { name: 'pending-leads', run: followUpPending },
  { name: 'counters', run: recountRecentDays },
  { name: 'unmetered-calls', run: meterPendingCalls },
  { name: 'hand-overs', run: finishHandOvers },
  { name: 'usage-entries', run: sweepUsage },
  { name: 'usage', run: recomputeDue },
  { name: 'mails', run: sweepAccountMail },
  { name: 'stray-phone-numbers', run: releaseStrayNumbers },
  { name: 'erasures', run: finishErasures },
  { name: 'subscriptions', run: rereadOverdue },
]

export const MaintenanceReport = z.object({
  ok: z.boolean(),
  jobs: z.array(
    z.object({
      name: z.string(),
      ok: z.boolean(),
      durationMs: z.number(),
      result: z.unknown().optional(),
    }),
  ),
})
export type MaintenanceReport = z.infer<typeof MaintenanceReport>

/** Runs every job. The report says only that one failed; how it failed goes to the log. */
export async function maintain(
  now: Date,
  logFailure: (failure: unknown) => void,
): Promise<MaintenanceReport> {
  const done: MaintenanceReport['jobs'] = []
  for (const { name, run } of jobs) {
    const startedAt = performance.now()
    const outcome = await run(now).then(
      result => ({ ok: true, result }),
      error => {
        logFailure(error)
        return { ok: false }
      },
    )
    done.push({ name, ...outcome, durationMs: Math.round(performance.now() - startedAt) })
  }
  return { ok: done.every(job => job.ok), jobs: done }
}

async function recountRecentDays(now: Date): Promise<unknown> {
  const today = Math.floor(now.getTime() / DAY_MS) * DAY_MS
  const days = Array.from({ length: RECOUNTED_DAYS }, (_, i) => new Date(today - (i + 1) * DAY_MS))
  const mended = await Promise.all(days.map(recount))
  return { mended: mended.flat() }
}
