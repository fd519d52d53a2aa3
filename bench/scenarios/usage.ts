import { claimsAt } from '../accounts.js'
import { compareGrowth } from '../growth.js'
import type { Bench, Scenario } from '../harness.js'
import type { Server } from '../pairing.js'
import { CALLEE, filledWithCalls } from '../stored-calls.js'
import { MONTHS } from '../stored-usage.js'

const PAGE = MONTHS / 2
const HISTORY = `/api/user/usage/history?limit=${PAGE}`

async function run(bench: Bench): Promise<void> {
  const authorization = await bench.signIn(claimsAt(CALLEE))
  const rows = 'calls, and periods of usage'
  const databaseOf = (size: number) => filledWithCalls(bench, size)
  await compareGrowth(bench, {
    route: 'api/user/usage/index.ts',
    rows,
    authorization,
    databaseOf,
    reads: [{ title: 'usage: this month', pathOf: () => '/api/user/usage' }],
  })
  await compareGrowth(bench, {
    route: 'api/user/usage/history.ts',
    rows,
    authorization,
    databaseOf,
    reads: [
      { title: 'usage: the latest year', pathOf: () => HISTORY },
      {
        title: 'usage: the first year, the last page',
        pathOf: async (_, server) => `${HISTORY}&cursor=${await lastCursor(server, authorization)}`,
      },
    ],
  })
}

/** Where the last page begins: behind the only one before it. */
async function lastCursor({ port }: Server, authorization: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${HISTORY}`, { headers: { authorization } })
  const { data } = (await response.json()) as { data?: { nextCursor?: string } }
  if (!data?.nextCursor) throw new Error(`no cursor of the last page: ${response.status}`)
  return encodeURIComponent(data.nextCursor)
}

export default {
  summary: 'GET /api/user/usage: this month, and the months before it',
  run,
} satisfies Scenario
