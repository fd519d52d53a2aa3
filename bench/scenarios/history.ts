import { claimsAt } from '../accounts.js'
import { compareGrowth, type Read } from '../growth.js'
import type { Bench, Scenario } from '../harness.js'
import type { Server } from '../pairing.js'
import { CALLEE, createdAt, FREQUENT, filledWithCalls, RARE } from '../stored-calls.js'

const PAGE = 50
const OVERHEAD_AIM = 1.15

function reads(authorization: string): Read[] {
  return [
    { title: 'history: the first page', pathOf: () => pathOf({}), overheadAim: OVERHEAD_AIM },
    {
      title: 'history: the last page',
      pathOf: async (_, server) => pathOf({ cursor: await lastCursor(server, authorization) }),
      overheadAim: OVERHEAD_AIM,
    },
    { title: 'history: a rare status', pathOf: () => pathOf({ status: RARE.status }) },
    { title: 'history: a frequent status', pathOf: () => pathOf({ status: FREQUENT.status }) },
    { title: 'history: a rare caller', pathOf: () => pathOf({ phoneNumber: RARE.phoneNumber }) },
    { title: 'history: a frequent caller', pathOf: () => pathOf({ phoneNumber: FREQUENT.phoneNumber }) },
    {
      title: 'history: a rare status of a frequent caller, of which there is none',
      pathOf: () => pathOf({ status: RARE.status, phoneNumber: FREQUENT.phoneNumber }),
    },
  ]
}

function pathOf(query: Record<string, string>): string {
  return `/api/user/conversations?${new URLSearchParams({ limit: String(PAGE), ...query })}`
}

/** The cursor of the last page: where a list of one call ends that begins just before it. */
async function lastCursor({ port }: Server, authorization: string): Promise<string> {
  const path = pathOf({ limit: '1', to: createdAt(PAGE).toISOString() })
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } })
  const { data } = (await response.json()) as { data?: { nextCursor?: string } }
  if (!data?.nextCursor) throw new Error(`no cursor of the last page: ${response.status}`)
  return data.nextCursor
}

async function run(bench: Bench): Promise<void> {
  const authorization = await bench.signIn(claimsAt(CALLEE))
  await compareGrowth(bench, {
    route: 'api/user/conversations/index.ts',
    rows: 'calls',
    authorization,
    databaseOf: size => filledWithCalls(bench, size),
    reads: reads(authorization),
  })
}

export default {
  summary: 'GET /api/user/conversations: first and last page, a status, a caller',
  run,
} satisfies Scenario
