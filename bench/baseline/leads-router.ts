import { waitUntil } from '@vercel/functions'
import { Router } from 'express'
import { captureLead } from './lead-capture.js'
import { followUpLead } from './lead-follow-up.js'
import { LeadInput } from './lead-input.js'
import { LeadFilter, listLeads } from './lead-list.js'
import { operator } from './middleware/operator.js'
import { rateLimit } from './middleware/rate-limit.js'
import { toPublicLead } from './models/lead.js'

const addressOf = (request: { get(name: string): string | undefined }) =>
  request.get('x-real-ip') ?? 'unknown'
const captures = rateLimit({ name: 'capture', limit: 60, windowSeconds: 60, keyOf: addressOf })
const reads = rateLimit({ name: 'read', limit: 300, windowSeconds: 60, keyOf: () => 'admin-token' })

export const leadsRouter = Router()

leadsRouter.post('/', captures, async (request, response) => {
  const lead = await captureLead(LeadInput.parse(request.body), request.get('origin'))
  if (lead.pending) waitUntil(followUpLead(lead, addressOf(request)).catch(logFailure))
  // What became of it since is the operators' business.
  const { spam, history, submissions, lastSeenAt, duplicateOf, ...shown } = toPublicLead(lead)
  response.status(201).json({ message: 'Lead created', lead: shown })
})

leadsRouter.get('/', operator, reads, async (request, response) => {
  response.json(await listLeads(LeadFilter.parse(request.query)))
})

function logFailure(error: unknown): void {
  if (process.env.LOG_LEVEL !== 'silent') console.error(error)
}
