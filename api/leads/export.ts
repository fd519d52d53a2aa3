import { z } from 'zod'
import { dataScopeOf } from '../../lib/auth/callers.js'
import { LeadSelection, streamLeads } from '../../lib/domain/leads/lead-list.js'
import { leadColumns } from '../../lib/domain/leads/leads.js'
import { exported } from '../../lib/http/export.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'Every lead of a selection as a file: CSV, JSON, or a document a line',
    access: 'operator',
    scope: 'leads:read',
    limit: 'export',
    query: LeadSelection.extend({ format: z.enum(['csv', 'json', 'ndjson']).default('csv') }),
    responses: { 200: { description: 'The file, as it is read' } },
  },
  ({ query, caller }) => {
    const { format, ...selection } = query
    return exported('leads', format, streamLeads(dataScopeOf(caller), selection), leadColumns)
  },
)

export default serve('/api/leads/export', { GET })
