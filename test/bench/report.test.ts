import { expect, it } from 'vitest'
import type { FiguresResult } from '../../bench/figures.js'
import type { ComparisonResult, RatioOf } from '../../bench/pairing.js'
import { type Circumstances, type Result, reportText } from '../../bench/report.js'
import { spread } from '../../bench/statistics.js'

const run: Circumstances = {
  date: '2026-11-25',
  machine: 'one',
  node: 'v20',
  engine: 'a database',
  loadBefore: 0,
  rounds: 1,
  sliceSeconds: 1,
}

const compared = (aims: Pick<RatioOf, 'aim' | 'throughputAim'>): ComparisonResult => ({
  title: 'requests',
  clients: 1,
  measured: [],
  ratios: [
    {
      label: 'a / b',
      of: 'a',
      to: 'b',
      time: spread([0.7]),
      requestsPerSecond: spread([1.5]),
      cpu: spread([0.8]),
      ...aims,
    },
  ],
})

const figures = (aims: FiguresResult['ratio']['aims']): FiguresResult => ({
  title: 'a start',
  figures: [{ name: 'a', spreads: { ms: spread([70]), MB: spread([9]) } }],
  ratio: { label: 'a / b', spreads: { ms: spread([0.7]), MB: spread([0.9]) }, aims },
})

it.each<[string, Result, string]>([
  ['time that is short enough', compared({ aim: 0.7 }), 'time ≤ 0.7 met'],
  ['time that is too long', compared({ aim: 0.6 }), 'time ≤ 0.6 missed'],
  ['enough requests', compared({ throughputAim: 1.5 }), 'requests/s ≥ 1.5 met'],
  ['too few requests', compared({ throughputAim: 2 }), 'requests/s ≥ 2 missed'],
  ['both', compared({ aim: 1, throughputAim: 2 }), 'time ≤ 1 met, requests/s ≥ 2 missed'],
  ['a figure that is small enough', figures({ ms: 0.7 }), '0.70 [0.70–0.70]  ≤ 0.7 met'],
  ['a figure that is too large', figures({ MB: 0.6 }), '0.90 [0.90–0.90]  ≤ 0.6 missed'],
])('says what came of an aim: %s', (_, result, verdict) => {
  expect(`${reportText(run, [result])}\n`).toContain(`  ${verdict}\n`)
})

it('says nothing where there was no aim', () => {
  expect(reportText(run, [compared({}), figures({})])).not.toMatch(/met|missed/)
})
