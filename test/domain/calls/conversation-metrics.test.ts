import { expect, it } from 'vitest'
import { summariseMetrics } from '../../../lib/domain/calls/conversation-metrics.js'

const none = { transcriptionTime: null, responseTime: null, ttsTime: null, totalProcessingTime: null }
const timesOf = (values: unknown[]) => values.map(ttsTime => ({ ttsTime }))
const oneTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

it.each([
  ['one', [7], { p50: 7, p95: 7 }],
  ['two', [9, 1], { p50: 1, p95: 9 }],
  ['three in any order', [30, 10, 20], { p50: 20, p95: 30 }],
  ['twenty', oneTo(20), { p50: 10, p95: 19 }],
  ['twenty-one', oneTo(21), { p50: 11, p95: 20 }],
  ['a hundred', oneTo(100), { p50: 50, p95: 95 }],
  ['numbers, not texts', [100, 9, 20], { p50: 20, p95: 100 }],
  ['what was measured', [5, null, undefined, '3', Number.NaN], { p50: 5, p95: 5 }],
])('percentiles are nearest ranks: of %s', (_, values, expected) => {
  expect(summariseMetrics(timesOf(values))).toEqual({ ...none, ttsTime: expected })
})

it('are null where nothing was measured', () => {
  expect(summariseMetrics([{}, undefined, null])).toEqual(none)
  expect(summariseMetrics([])).toEqual(none)
})
