import { z } from 'zod'
import { withTimeout } from '../../with-timeout.js'
import { acquireLock, type Lock } from './maintenance-lock.js'

/** How long a run begins more work: with `GRACE_MS` it fits the 30 seconds that a function has. */
const BUDGET_MS = 18_000

/** How long a run waits, when its time is over, for the job that it is at. */
const GRACE_MS = 6_000

/** How often a run comes back to jobs that have more to do: a bound for one that gets nowhere. */
const MAX_ROUNDS = 1_000

/** One thing that maintenance does; what it returns is reported. */
export interface Job {
  name: string
  /**
   * Does its share, and ends where it is safe once `shouldStop()`, which it asks only while there is more to do. A
   * result with `left` above 0 says that its share was not all.
   */
  run(now: Date, shouldStop: () => boolean): Promise<unknown>
}

const JobReport = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** There is, or may be, more to do: for the next run, which begins where this one ended. */
  left: z.boolean(),
  durationMs: z.number(),
  result: z.unknown().optional(),
})
export type JobReport = z.infer<typeof JobReport>

export const MaintenanceReport = z.object({
  /** Nothing failed. */
  ok: z.boolean(),
  /** Nothing is left for the next run. */
  complete: z.boolean(),
  /** Another run is at it, since then: this one did nothing. */
  runningSince: z.date().optional(),
  jobs: z.array(JobReport),
})
export type MaintenanceReport = z.infer<typeof MaintenanceReport>

export interface MaintenanceOptions {
  /** How long to begin more work, in milliseconds. */
  budgetMs?: number
  /** How long to wait, after that, for a job that does not end. */
  graceMs?: number
  /** Ends the run where it is safe. */
  signal?: AbortSignal
  onJob?: (name: string) => void
}

/**
 * Runs jobs within a time, those first that the last run did not get to, and comes back to those that have more to do
 * while there is time. Only one run at a time: another one does nothing and says so. The report says only that a job
 * failed; how it failed goes to the log.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function runJobs(
  jobs: readonly Job[],
  now: Date,
  logFailure: (failure: unknown) => void,
  { budgetMs = BUDGET_MS, graceMs = GRACE_MS, signal, onJob }: MaintenanceOptions = {},
): Promise<MaintenanceReport> {
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  const clock = () => new Date(now.getTime() + elapsedMs())
  const lock = await acquireLock(clock)
  if ('runningSince' in lock) return { ok: true, complete: false, runningSince: lock.runningSince, jobs: [] }

  const shouldStop = () => elapsedMs() >= budgetMs || signal?.aborted === true || !lock.isHeld()
  const reports = new Map<string, JobReport>(
    jobs.map(({ name }) => [name, { name, ok: true, left: true, durationMs: 0 }]),
  )
  let pending = from(lock.next, jobs)
  for (let round = 1; pending.length > 0 && round <= MAX_ROUNDS && !shouldStop(); round++) {
    for (const job of pending) {
      if (shouldStop()) break
      onJob?.(job.name)
      lock.moveTo(following(job, jobs))
      const patienceMs = Math.max(0, budgetMs - elapsedMs()) + graceMs
      const { report, isStuck } = await runJob(job, clock(), shouldStop, patienceMs, logFailure)
      reports.set(job.name, added(reports.get(job.name), report))
      if (isStuck) return finish(reports, lock, true)
    }
    pending = pending.filter(({ name }) => reports.get(name)?.ok && reports.get(name)?.left)
  }
  return finish(reports, lock, false)
}

/** A job that is still at work keeps the lock for as long as its lease, and nobody waits for it. */
async function finish(
  reports: ReadonlyMap<string, JobReport>,
  lock: Lock,
  isStuck: boolean,
): Promise<MaintenanceReport> {
  const jobs = [...reports.values()]
  const report = { ok: jobs.every(job => job.ok), complete: !jobs.some(job => job.left), jobs }
  if (isStuck) lock.leave()
  else await lock.end(report.ok)
  return report
}

/** The jobs from this one on, and round to those before it. */
function from(first: string | undefined, jobs: readonly Job[]): Job[] {
  const index = Math.max(
    0,
    jobs.findIndex(({ name }) => name === first),
  )
  return [...jobs.slice(index), ...jobs.slice(0, index)]
}

function following(job: Job, jobs: readonly Job[]): string {
  return jobs[(jobs.indexOf(job) + 1) % jobs.length]?.name ?? job.name
}

/** One share of a job, which is left to itself where it does not end in time. */
async function runJob(
  { name, run }: Job,
  now: Date,
  shouldStop: () => boolean,
  patienceMs: number,
  logFailure: (failure: unknown) => void,
): Promise<{ report: JobReport; isStuck: boolean }> {
  const startedAt = performance.now()
  let wasCut = false
  const asked = () => {
    wasCut ||= shouldStop()
    return wasCut
  }
  const work = run(now, asked).then(
    result => ({ ok: true, left: wasCut || hasMore(result), result }),
    error => {
      logFailure(error)
      return { ok: false, left: true }
    },
  )
  const outcome = await withTimeout(patienceMs, work)
  const durationMs = Math.round(performance.now() - startedAt)
  return { report: { name, ...(outcome ?? { ok: true, left: true }), durationMs }, isStuck: !outcome }
}

function hasMore(result: unknown): boolean {
  return isRecord(result) && typeof result.left === 'number' && result.left > 0
}

/** What several shares of a job did: numbers are added and lists joined, but for what is `left`, which is the last. */
function added(before: JobReport | undefined, share: JobReport): JobReport {
  if (before?.result === undefined) return share
  const result = share.result === undefined ? before.result : addedResults(before.result, share.result)
  return { ...share, durationMs: before.durationMs + share.durationMs, result }
}

function addedResults(before: unknown, share: unknown): unknown {
  if (typeof before === 'number' && typeof share === 'number') return before + share
  if (Array.isArray(before) && Array.isArray(share)) return [...before, ...share]
  if (!isRecord(before) || !isRecord(share)) return share
  const fields = Object.entries(share).map(([name, value]) => [
    name,
    name === 'left' ? value : addedResults(before[name], value),
  ])
  return Object.fromEntries(fields)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
