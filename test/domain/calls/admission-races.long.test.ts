import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import { usagePeriods } from '../../../lib/domain/usage/usage-periods.js'
import { emptyDatabase } from '../../support/database.js'
import { createTestUser } from '../../support/users.js'
import { type AdmissionOrder, admitCalls } from './admit-calls.js'

const LIMIT = 10
const NOW = Date.parse('2026-11-12T12:00:00Z')
const [LAST_OF_NOVEMBER, FIRST_OF_DECEMBER] = [
  Date.parse('2026-11-30T23:59:59.999Z'),
  Date.parse('2026-12-01'),
]

let children: ChildProcess[]

beforeAll(async () => {
  await emptyDatabase()
  children = await Promise.all([start(), start(), start()])
})

afterAll(() => {
  for (const child of children) child.kill()
})

let userId: string
beforeEach(async () => {
  userId = (await createTestUser({ plainPassword: null })).user._id.toHexString()
})

const sessions = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i}`)

/** What the user's periods hold, by their first day. */
async function stored(): Promise<Record<string, { calls: number; entries: number }>> {
  const periods = await (await usagePeriods.open())
    .find({ _id: { $gt: userId, $lt: `${userId}~` } })
    .toArray()
  return Object.fromEntries(
    periods.map(({ start, calls, open }) => [
      start.toISOString().slice(0, 10),
      { calls, entries: Object.keys(open).length },
    ]),
  )
}

describe('many calls at once', () => {
  it('300 in three processes: exactly as many as the plan has are admitted', async () => {
    const admitted = await Promise.all(
      children.map((child, i) =>
        answerOf(child, [{ userId, sessions: sessions(`process-${i}`, 100), now: NOW }]),
      ),
    )

    expect(admitted.flat(2)).toHaveLength(LIMIT)
    expect(await stored()).toEqual({ '2026-11-01': { calls: LIMIT, entries: LIMIT } })
  })

  it('300 in three processes while the month ends: exactly as many of either month', async () => {
    const orders = (i: number): AdmissionOrder[] => [
      { userId, sessions: sessions(`november-${i}`, 50), now: LAST_OF_NOVEMBER },
      { userId, sessions: sessions(`december-${i}`, 50), now: FIRST_OF_DECEMBER },
    ]

    const admitted = await Promise.all(children.map((child, i) => answerOf(child, orders(i))))

    for (const month of [0, 1]) expect(admitted.flatMap(answer => answer[month] ?? [])).toHaveLength(LIMIT)
    expect(await stored()).toEqual({
      '2026-11-01': { calls: LIMIT, entries: LIMIT },
      '2026-12-01': { calls: LIMIT, entries: LIMIT },
    })
  })

  it('100 of one session are one call', async () => {
    const admitted = await admitCalls({ userId, sessions: Array(100).fill('the same'), now: NOW })

    expect(admitted).toHaveLength(100)
    expect(await stored()).toEqual({ '2026-11-01': { calls: 1, entries: 1 } })
  })

  it('where ten reservations were not used: exactly as many are admitted again', async () => {
    await admitCalls({ userId, sessions: sessions('unused', LIMIT), now: NOW })

    const admitted = await admitCalls({ userId, sessions: sessions('next', 100), now: NOW + 2 * 60_000 })

    expect(admitted).toHaveLength(LIMIT)
    expect(await stored()).toEqual({ '2026-11-01': { calls: LIMIT, entries: LIMIT } })
  })
})

it('a session that is asked for on both sides of midnight stays in its month', async () => {
  const ask = (now: number) => admitCall({}, { userId, sessionId: 'late' }, new Date(now))

  const first = await ask(LAST_OF_NOVEMBER)
  const second = await ask(FIRST_OF_DECEMBER)

  expect(second).toEqual(first)
  expect(await stored()).toEqual({ '2026-11-01': { calls: 1, entries: 1 } })
})

async function start(): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'admit-calls.ts'), { execArgv: ['--import', 'tsx'] })
  await next(child)
  return child
}

/** For each order the sessions that were admitted. */
function answerOf(child: ChildProcess, orders: AdmissionOrder[]): Promise<string[][]> {
  child.send(orders)
  return next(child) as Promise<string[][]>
}

/** The next message of a process, which must not end before. */
async function next(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`the process ended with ${code}`)),
  )
  const [message] = await Promise.race([once(child, 'message'), ended])
  return message
}
