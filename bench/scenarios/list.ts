import { compareGrowth, type Read } from '../growth.js'
import type { Bench, Scenario } from '../harness.js'
import type { Server } from '../pairing.js'
import { MICROSITE } from '../sample-lead.js'
import { createdAt, FREQUENT, filledWithListedLeads, RARE } from '../stored-leads.js'

const PAGE = 50
const OVERHEAD_AIM = 1.15

function reads({ authorization }: Bench): Read[] {
  return [
    {
      title: 'GET /api/leads: the first page of a microsite',
      pathOf: () => pathOf({}),
      overheadAim: OVERHEAD_AIM,
    },
    {
      title: 'GET /api/leads: the last page of a microsite',
      pathOf: async (_, server) => pathOf({ cursor: await lastCursor(server, authorization) }),
      overheadAim: OVERHEAD_AIM,
    },
    {
      title: 'GET /api/leads: one of a microsite, which is little but the count',
      pathOf: () => pathOf({ limit: '1' }),
    },
    { title: 'GET /api/leads: a rare status', pathOf: () => pathOf({ status: RARE.status }) },
    { title: 'GET /api/leads: a rare type', pathOf: () => pathOf({ bhkType: RARE.bhkType }) },
    { title: 'GET /api/leads: a frequent status', pathOf: () => pathOf({ status: FREQUENT.status }) },
  ]
}

function pathOf(query: Record<string, string>): string {
  return `/api/leads?${new URLSearchParams({ microsite: MICROSITE, limit: String(PAGE), ...query })}`
}

/** The cursor of the last page: where a list of one lead ends that begins just before it. */
async function lastCursor({ port }: Server, authorization: string): Promise<string> {
  const path = pathOf({ limit: '1', endDate: createdAt(PAGE).toISOString() })
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } })
  const { nextCursor } = (await response.json()) as { nextCursor?: string }
  if (!nextCursor) throw new Error(`no cursor of the last page: ${response.status}`)
  return nextCursor
}

export default {
  summary: 'GET /api/leads: first and last page, the count, a status, a type',
  run: bench =>
    compareGrowth(bench, {
      route: 'api/leads/index.ts',
      rows: 'leads',
      databaseOf: size => filledWithListedLeads(bench, size),
      reads: reads(bench),
    }),
} satisfies Scenario
