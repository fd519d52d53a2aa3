import { z } from 'zod'
import { dataScopeOf } from '../../lib/auth/callers.js'
import { getLead, LeadAnswer, LeadUpdate, updateLead } from '../../lib/domain/leads/lead-updates.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const params = z.object({ id: z.string() })
const responses = { 200: { description: 'The lead with its history', schema: LeadAnswer } }

const GET = route(
  {
    summary: 'One lead with its history',
    access: 'operator',
    scope: 'leads:read',
    limit: 'read',
    params,
    responses,
  },
  async ({ params, caller }) => ok({ lead: await getLead(dataScopeOf(caller), params.id) }),
)

const PATCH = route(
  {
    summary: 'Set the status of a lead, note something, decide about its quarantine',
    access: 'operator',
    scope: 'leads:write',
    limit: 'write',
    params,
    body: LeadUpdate,
    responses,
  },
  async ({ params, body, caller, context }) =>
    ok({ lead: await updateLead(dataScopeOf(caller), params.id, body, caller.id, context.now) }),
)

export default serve('/api/leads/:id', { GET, PATCH })
