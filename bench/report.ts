import { cpus, loadavg, platform, release, totalmem } from 'node:os'
import type { FiguresResult } from './figures.js'
import type { ComparisonResult, Ratio } from './pairing.js'
import type { Spread } from './statistics.js'

/** Where and when a run was made: what its numbers may not be read without. */
export interface Circumstances {
  date: string
  machine: string
  node: string
  engine: string
  /** Processes that wanted a core, on average over the last minute, when the run began. */
  loadBefore: number
  rounds: number
  sliceSeconds: number
}

/** The circumstances of a run that begins now. */
export function circumstances(run: Pick<Circumstances, 'engine' | 'rounds' | 'sliceSeconds'>): Circumstances {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return {
    date: new Date().toISOString(),
    machine: `${cpus().length} × ${cpu?.model.trim()}, ${memory} GB, ${platform()} ${release()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    ...run,
  }
}

export type Result = ComparisonResult | FiguresResult

/** The whole run: what it was made with, and for each comparison what was measured and the ratios of it. */
export function reportText(run: Circumstances, results: readonly Result[]): string {
  const busy =
    run.loadBefore > cpus().length / 2 ? ' (busy: trust the ratio of CPU more than that of time)' : ''
  const header = [
    `${run.date}, node ${run.node}, ${run.engine}`,
    `${run.machine}; load before the run ${run.loadBefore.toFixed(2)}${busy}`,
    `${run.rounds} rounds of ${run.sliceSeconds} s each, variants in turns; [ ] is the middle half of the rounds`,
  ]
  const texts = results.map(result => ('measured' in result ? comparisonText(result) : figuresText(result)))
  return [header.join('\n'), ...texts].join('\n\n')
}

function comparisonText({ title, measured, ratios }: ComparisonResult): string {
  const figures = measured.map(({ name, requests, p50, p95, requestsPerSecond, cpuMs }) => [
    name,
    p50.toFixed(2),
    p95.toFixed(2),
    requestsPerSecond.median.toFixed(0),
    cpuMs.median.toFixed(2),
    requests.toLocaleString('en'),
  ])
  const compared = ratios.map(ratio => [
    ratio.label,
    times(ratio.time),
    times(ratio.requestsPerSecond),
    times(ratio.cpu),
    aimsOf(ratio),
  ])
  return [
    title,
    table(['', 'p50 ms', 'p95 ms', 'requests/s', 'server CPU ms', 'requests'], figures),
    table(['ratio', 'time', 'requests/s', 'server CPU', 'aim'], compared),
  ].join('\n')
}

function figuresText({ title, figures, ratio }: FiguresResult): string {
  const names = Object.keys(figures[0]?.spreads ?? {})
  const measured = figures.map(({ name, spreads }) => [name, ...names.map(figure => whole(spreads[figure]))])
  const compared = Object.entries(ratio.spreads).map(([figure, spread]) => [
    `${ratio.label}: ${figure}`,
    times(spread),
    aimAtMost(spread, ratio.aims[figure]),
  ])
  return [title, table(['', ...names], measured), table(['ratio', '', 'aim'], compared)].join('\n')
}

function whole(spread: Spread | undefined): string {
  return spread?.median.toFixed(0) ?? ''
}

function aimsOf({ time, aim, requestsPerSecond, throughputAim }: Ratio): string {
  const aims = [aim !== undefined && `time ${aimAtMost(time, aim)}`]
  if (throughputAim !== undefined)
    aims.push(`requests/s ≥ ${throughputAim} ${verdict(requestsPerSecond.median >= throughputAim)}`)
  return aims.filter(Boolean).join(', ')
}

function aimAtMost({ median }: Spread, aim: number | undefined): string {
  return aim === undefined ? '' : `≤ ${aim} ${verdict(median <= aim)}`
}

function verdict(isMet: boolean): string {
  return isMet ? 'met' : 'missed'
}

function times({ median, lower, upper }: Spread): string {
  return `${median.toFixed(2)} [${lower.toFixed(2)}–${upper.toFixed(2)}]`
}

function table(header: readonly string[], rows: readonly string[][]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
  return all.map(row => `  ${line(row)}`.trimEnd()).join('\n')
}
