import { compareGrowth, type Read } from '../growth.js'
import type { Scenario } from '../harness.js'
import { FREQUENT, filledWithLeads, phoneAt, RARE } from '../stored-leads.js'

const reads: readonly Read[] = [
  { title: 'search: a phone number', pathOf: size => pathOf(phoneAt(size >> 1)) },
  {
    title: 'search: the last four digits of a phone number',
    pathOf: size => pathOf(phoneAt(size >> 1).slice(-4)),
  },
  { title: 'search: a rare name', pathOf: () => pathOf(RARE.name) },
  { title: 'search: a rare campaign', pathOf: () => pathOf(RARE.campaign) },
  { title: 'search: a frequent name', pathOf: () => pathOf(FREQUENT.name) },
]

function pathOf(search: string): string {
  return `/api/leads?${new URLSearchParams({ search })}`
}

export default {
  summary: 'GET /api/leads?search=…: a phone, a part of it, names and campaigns',
  run: bench =>
    compareGrowth(bench, {
      route: 'api/leads/index.ts',
      rows: 'leads',
      databaseOf: size => filledWithLeads(bench, size),
      reads,
    }),
} satisfies Scenario
