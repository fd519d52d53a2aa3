import { createHash } from 'node:crypto'
import { Types } from 'mongoose'
import { normaliseBhk } from '../../lib/domain/leads/bhk.js'
import { searchFieldsOf } from '../../lib/domain/leads/lead-search.js'
import { spamReasons } from '../../lib/domain/leads/spam.js'
import { readPhone } from '../../lib/domain/phones/phone.js'
import { hostOf } from '../../lib/domain/widgets/hosts.js'
import { ApiError } from './errors.js'
import type { LeadInput } from './lead-input.js'
import { ChatSession } from './models/chat-session.js'
import { Lead, type StoredLead } from './models/lead.js'
import { WidgetConfig } from './models/widget-config.js'
import { unlessTaken } from './unless-taken.js'

/**
 * Stores a lead with its chat, once: the same submission again is answered with the lead that it made.
 *
 * @throws {ApiError} for a page that the project does not list, and for a lead with nothing to follow up.
 */
export async function captureLead(input: LeadInput, origin = ''): Promise<StoredLead> {
  const project = await findProject(input, origin)
  const { metadata, conversation } = input
  const { projectId, ownerId } = project
  const microsite = input.microsite ?? projectId
  const phone = readPhone(input.phone, [metadata.phoneCountryCode, project.phoneCountry])
  if (!phone.phone && conversation.length === 0 && input.bhk === undefined && input.bhkType === undefined)
    throw new ApiError(400, 'invalid_request', 'phone: is required')

  const name = typeof metadata.name === 'string' ? metadata.name.trim().slice(0, 200) : ''
  const reasons = spamReasons({
    honeypot: input.website,
    name,
    metadata,
    conversation,
    phoneIsUnusable: phone.phoneRaw !== undefined,
  })
  const given = { ...phone, ...(name && { name }), microsite, metadata }
  const bhk = normaliseBhk(input.bhk, input.bhkType)
  const _id = idOf(projectId, microsite, input.phone, conversation)
  const owned = { projectId, ...(ownerId && { ownerId }) }
  const lead = {
    _id,
    ...given,
    ...bhk,
    ...owned,
    leadSource: 'ChatWidget',
    status: 'new' as const,
    conversation,
    quarantined: reasons.length > 0,
    ...(reasons.length > 0 && { spam: { score: reasons.length, reasons } }),
    ...searchFieldsOf(given),
    pending: true,
  }
  const session = {
    _id,
    sessionId: `lead:${_id}`,
    microsite,
    ...owned,
    leadId: _id,
    ...(phone.phone && { phone: phone.phone }),
    bhkType: bhk.bhkType,
    conversation,
    metadata,
  }
  const [stored] = await Promise.all([
    unlessTaken(Lead.create(lead)),
    conversation.length > 0 && unlessTaken(ChatSession.create(session)),
  ])
  return stored?.toObject() ?? Lead.findById(_id).orFail().lean()
}

async function findProject({ metadata, microsite }: LeadInput, origin: string) {
  const named = typeof metadata.projectId === 'string' ? metadata.projectId : undefined
  const projectId = named ?? microsite ?? (hostOf(origin) || 'default')
  const stored = await WidgetConfig.findOne({ projectId }, 'domains ownerId phoneCountry').lean()
  if (origin && stored?.domains?.length && !stored.domains.includes(hostOf(origin)))
    throw new ApiError(403, 'forbidden', 'This site is not one of the domains of the project.')
  return { projectId, ownerId: stored?.ownerId, phoneCountry: stored?.phoneCountry }
}

/** The same for the same submission: by its phone and messages. */
function idOf(
  projectId: string,
  microsite: string,
  phone: string | undefined,
  messages: readonly { id?: string | undefined }[],
) {
  const identity = JSON.stringify([projectId, microsite, phone, ...messages.map(({ id }) => id)])
  return new Types.ObjectId(createHash('sha256').update(identity).digest().subarray(0, 12))
}
