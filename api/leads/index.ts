import { dataScopeOf } from '../../lib/auth/callers.js'
import { findProjectOf, LeadInput } from '../../lib/domain/leads/captured-input.js'
import { captureLead, LeadCreated } from '../../lib/domain/leads/lead-capture.js'
import { LeadFilter, LeadPage, listLeads } from '../../lib/domain/leads/lead-list.js'
import { created, ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Capture a lead from a widget',
    access: 'public',
    limit: 'capture',
    body: LeadInput,
    maxBodyBytes: 512 * 1024,
    project: ({ body, origin }) => findProjectOf(body, origin),
    responses: { 201: { description: 'The lead, also of a repeated submission', schema: LeadCreated } },
  },
  async ({ body, project, context }) =>
    created({ message: 'Lead created', lead: await captureLead(body, project, context) }),
)

const GET = route(
  {
    summary: 'List leads, newest first',
    access: 'operator',
    scope: 'leads:read',
    limit: 'read',
    query: LeadFilter,
    responses: { 200: { description: 'A page of leads', schema: LeadPage } },
  },
  async ({ query, caller }) => ok(await listLeads(dataScopeOf(caller), query)),
)

export default serve('/api/leads', { GET, POST })
