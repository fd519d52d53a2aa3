import { beforeAll, expect, it } from 'vitest'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { hitLimit, type Order } from './hit-limit.js'
import { startHittingProcess } from './hitting-process.js'

// 12 for `read`, 2 for `authentication-failure`: few enough that none of ten times as many waits too long for one of
// the client's connections.
process.env.RATE_LIMIT_SCALE = '0.04'

// A time of our own, within the life of the counters: no window ends while a test counts.
const now = (Math.floor(Date.now() / 60_000) + 1.5) * 60_000

beforeAll(() => emptyDatabase())

it.each([
  ['read', 12],
  ['authentication-failure', 2],
] as const)('a limit admits exactly that many of ten times as many at once: %s', async (policy, limit) => {
  const order: Order = { policy, key: 'one process', now, times: limit * 10 }
  const first = await firstHits(order)

  const { admitted, refused } = await hitLimit(order)

  expect([admitted, refused]).toEqual([limit - first, limit * 9 + first])
})

it('a limit admits exactly that many over two processes', async () => {
  const [first, second] = await Promise.all([startHittingProcess(), startHittingProcess()])
  const order: Order = { policy: 'read', key: 'two processes', now, times: 60 }
  const hitBefore = await firstHits(order)

  const outcomes = await Promise.all([first(order), second(order)])

  expect(outcomes.map(({ admitted, refused }) => admitted + refused)).toEqual([60, 60])
  expect(outcomes.reduce((sum, { admitted }) => sum + admitted, 0)).toBe(12 - hitBefore)
})

/**
 * The very first hits of a window race to insert its counter, which is where counting goes wrong first: so nothing
 * precedes them. Only DocumentDB answers the loser of an upsert with the winner's document (the count that it
 * stores is right): there, the counter is made beforehand, by so many hits as this returns.
 */
async function firstHits(order: Order): Promise<number> {
  if (testDatabase().kind !== 'given') return 0
  return (await hitLimit({ ...order, times: 1 })).admitted
}
