import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { emptyDatabase } from '../support/database.js'
import { hitLimit, type Order } from './hit-limit.js'

// 12 for `read`, 2 for `authentication-failure`: few enough that none of ten times as many waits too long for one of
// the client's connections.
process.env.RATE_LIMIT_SCALE = '0.04'

// A time of our own, within the life of the counters: no window ends while a test counts.
const now = (Math.floor(Date.now() / 60_000) + 1.5) * 60_000
const children: ChildProcess[] = []

beforeAll(() => emptyDatabase())

afterEach(() => {
  for (const child of children.splice(0)) child.kill()
})

it.each([
  ['read', 12],
  ['authentication-failure', 2],
] as const)('a limit admits exactly that many of ten times as many at once: %s', async (policy, limit) => {
  expect(await hitLimit({ policy, key: 'one process', now, times: limit * 10 })).toEqual({
    admitted: limit,
    refused: limit * 9,
  })
})

it('a limit admits exactly that many over two processes', async () => {
  const first = await start()
  const second = await start()
  const order: Order = { policy: 'read', key: 'two processes', now, times: 60 }

  const outcomes = await Promise.all([answerOf(first, order), answerOf(second, order)])

  expect(outcomes.map(({ admitted, refused }) => admitted + refused)).toEqual([60, 60])
  expect(outcomes.reduce((sum, { admitted }) => sum + admitted, 0)).toBe(12)
})

async function start(): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'hit-limit.ts'), { execArgv: ['--import', 'tsx'] })
  children.push(child)
  await next(child)
  return child
}

function answerOf(child: ChildProcess, order: Order): ReturnType<typeof hitLimit> {
  child.send(order)
  return next(child) as ReturnType<typeof hitLimit>
}

/** The next message of a process, which must not end before. */
async function next(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`the process ended with ${code}`)),
  )
  const [message] = await Promise.race([once(child, 'message'), ended])
  return message
}
