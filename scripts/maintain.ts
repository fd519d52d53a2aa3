import { z } from 'zod'
import { maintain, maintenanceJobs } from '../lib/domain/maintenance/maintenance.js'
import { findMaintenanceLock } from '../lib/domain/maintenance/maintenance-lock.js'
import type { JobReport } from '../lib/domain/maintenance/maintenance-run.js'
import { type CommandLine, runAsProgram, type Typed } from './support/command.js'
import { parseFlag } from './support/flags.js'
import { interruptible } from './support/interruption.js'
import { durationText } from './support/progress.js'
import { tableOf } from './support/table.js'
import { mayWrite, type Target, WRITE_FLAGS, withTarget } from './support/target.js'

const line: CommandLine = {
  name: 'npm run maintain --',
  summary: `Does what the daily cron does, with more time: ${maintenanceJobs.join(', ')}.`,
  flags: {
    minutes: { type: 'string', value: 'N', help: 'how long it may begin more work (default 10)' },
    ...WRITE_FLAGS,
  },
}

const Minutes = z.coerce
  .number('must be a number')
  .positive('must be above 0')
  .max(24 * 60)

/** Runs maintenance once. What is left when its time is over is the next run's, and no failure. */
export async function run(typed: Typed): Promise<void> {
  const minutes = parseFlag(Minutes, 'minutes', typed.text('minutes') ?? '10')
  await withTarget(target => maintainTarget(target, typed, minutes))
}

async function maintainTarget(target: Target, typed: Typed, minutes: number): Promise<void> {
  if (!(await mayWrite(target, typed))) return describeLast()
  const failures: unknown[] = []
  const report = await interruptible('The next run goes on from there.', async signal => {
    const report = await maintain(new Date(), failure => failures.push(failure), {
      budgetMs: minutes * 60_000,
      signal,
      onJob: name => console.error(`  ${name}`),
    })
    if (!report.runningSince)
      console.log(tableOf(['job', 'state', 'took', 'what it did'], rowsOf(report.jobs)))
    signal.throwIfAborted()
    return report
  })
  if (report.runningSince) {
    console.error(`Another run is at it since ${report.runningSince.toISOString()}: nothing is done.`)
    return
  }
  for (const failure of failures) console.error(failure)
  if (!report.ok) throw new Error('some jobs failed')
  console.error(
    report.complete ? 'Nothing is left to do.' : 'The time is over: the next run goes on from there.',
  )
}

async function describeLast(): Promise<void> {
  console.error(`It does ${maintenanceJobs.join(', ')}.`)
  const { finishedAt, ok } = (await findMaintenanceLock()) ?? {}
  const last = finishedAt
    ? `ended at ${finishedAt.toISOString()}${ok ? '' : ', with failures'}`
    : 'is not known'
  console.error(`The last run ${last}.`)
}

function rowsOf(jobs: readonly JobReport[]): string[][] {
  return jobs.map(({ name, ok, left, durationMs, result }) => {
    const state = ok ? (left ? 'to go on' : 'done') : 'failed'
    return [name, state, durationText(durationMs), result === undefined ? '' : summaryOf(result)]
  })
}

/** Lists by their length: what each entry says is in the answer of the cron. */
function summaryOf(result: unknown): string {
  if (Array.isArray(result)) return String(result.length)
  if (typeof result !== 'object' || result === null) return String(result)
  return Object.entries(result)
    .map(([name, value]) => `${name} ${summaryOf(value)}`)
    .join(', ')
}

await runAsProgram(import.meta.url, line, run)
