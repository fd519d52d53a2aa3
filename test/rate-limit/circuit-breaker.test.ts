import { beforeEach, expect, it, vi } from 'vitest'
import { CircuitBreaker } from '../../lib/rate-limit/circuit-breaker.js'

const PAUSE_MS = 1_000
const failure = new Error('away')
const works = async () => 'value'
const fails = () => Promise.reject(failure)

let now: number
let breaker: CircuitBreaker
const report = vi.fn()

beforeEach(() => {
  now = 1
  breaker = new CircuitBreaker(PAUSE_MS, () => now)
  report.mockReset()
})

it('gives what works and reports nothing', async () => {
  expect(await breaker.run(works, report)).toBe('value')
  expect(report).not.toHaveBeenCalled()
})

it('tries nothing for a pause after a failure, and then again', async () => {
  expect(await breaker.run(fails, report)).toBeUndefined()
  const task = vi.fn(works)

  now += PAUSE_MS - 1
  expect(await breaker.run(task, report)).toBeUndefined()
  expect(task).not.toHaveBeenCalled()
  now += 1
  expect(await breaker.run(task, report)).toBe('value')
  expect(await breaker.run(task, report)).toBe('value')
  expect(report.mock.calls).toEqual([[failure]])
})

it('counts the pause from when a slow task failed', async () => {
  await breaker.run(async () => {
    now += PAUSE_MS
    throw failure
  }, report)

  expect(await breaker.run(works, report)).toBeUndefined()
})

it('reports the first of many that fail together', async () => {
  await Promise.all(Array.from({ length: 10 }, () => breaker.run(fails, report)))

  expect(report).toHaveBeenCalledTimes(1)
})

it('lets one find out whether it works again, who reports it where it does not', async () => {
  await breaker.run(fails, report)
  now += PAUSE_MS
  const task = vi.fn(fails)

  await Promise.all(Array.from({ length: 10 }, () => breaker.run(task, report)))
  await breaker.run(task, report)

  expect(task).toHaveBeenCalledTimes(1)
  expect(report).toHaveBeenCalledTimes(2)
})
