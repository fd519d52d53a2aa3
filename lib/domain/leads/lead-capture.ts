import { z } from 'zod'
import { insertOnce } from '../../db/upsert.js'
import { AppError, invalidField } from '../../errors.js'
import { saveLeadSession } from '../chats/chat-sessions.js'
import { digestOf, objectIdOf } from '../digest.js'
import { dayOf } from '../events/event-counts.js'
import type { FreeForm } from '../free-form.js'
import { namedFieldsOf } from '../named-fields.js'
import { readPhone } from '../phones/phone.js'
import type { Project } from '../widgets/widget-configs.js'
import { normaliseBhk } from './bhk.js'
import type { LeadInput } from './captured-input.js'
import { followUpSoon } from './lead-follow-up.js'
import { searchFieldsOf } from './lead-search.js'
import { type Lead, leads, PublicLead, toPublicLead } from './leads.js'
import { spamReasons } from './spam.js'

/** What a capture has to know of the request it came with. */
interface Submission {
  now: Date
  clientAddress: string
  /** The client's network, as limits count it. */
  network: string
  userAgent: string
  idempotencyKey: string | undefined
  /** Refuse what would otherwise be repaired. */
  strict: boolean
  background(task: Promise<unknown>): void
}

/**
 * Stores a lead, once: the same submission again is answered with the lead that it made the first time. Lead
 * and chat session are written side by side in one round trip, which their ids allow: both are derived from the
 * submission, so a crash between the two is mended by the client's retry. All else follows after the answer.
 *
 * @throws {AppError} `invalid_request` for a lead without anything to follow up, `conflict` for an
 *   `Idempotency-Key` that was used for another lead, `unavailable` while the database is away.
 */
export async function captureLead(
  input: LeadInput,
  project: Project,
  submission: Submission,
): Promise<CapturedLead> {
  const lead = leadFrom(input, project, submission)
  const [stored] = await Promise.all([
    insertOnce(await leads.open(), lead),
    // Under a key that two bodies may carry, the chat has to wait until it is known whose lead it is.
    lead.inputDigest === undefined && saveLeadSession(lead),
  ])
  if (stored.inputDigest !== lead.inputDigest)
    throw new AppError('conflict', 'This Idempotency-Key was used for another lead.')
  if (lead.inputDigest !== undefined) await saveLeadSession(stored)
  // A retry is no further lead, however many of them there are: only what is new may be part of a flood.
  const network = stored === lead ? submission.network : undefined
  if (stored.pending) submission.background(followUpSoon(stored, network, submission.now))
  // As it was sent: what is stored under guessed ids of messages is not told.
  return toCaptured({ ...lead, createdAt: stored.createdAt })
}

/** A lead as its own client sees it: quarantine, and what became of it since, are the operators' business. */
export const CapturedLead = PublicLead.omit({
  spam: true,
  history: true,
  submissions: true,
  lastSeenAt: true,
  duplicateOf: true,
  truncated: true,
})
export type CapturedLead = z.infer<typeof CapturedLead>

/** What a widget is answered. */
export const LeadCreated = z.object({ message: z.string(), lead: CapturedLead })

function leadFrom(input: LeadInput, project: Project, submission: Submission): Lead {
  const { metadata, conversation } = input
  const microsite = input.microsite ?? project.projectId
  const phone = readPhone(input.phone, [metadata.phoneCountryCode, project.phoneCountry])
  const bhk = normaliseBhk(input.bhk, input.bhkType)
  const hasOther = conversation.length > 0 || input.bhk !== undefined || input.bhkType !== undefined
  if (!phone.phone && !phone.phoneRaw && !hasOther)
    throw invalidField('phone', 'is required where there is neither a BHK nor a conversation')
  if (phone.phoneRaw && (submission.strict || !hasOther)) throw invalidField('phone', 'is not a phone number')

  const name = typeof metadata.name === 'string' ? metadata.name.trim().slice(0, 200) : ''
  const given = { ...phone, ...(name && { name }), microsite, metadata }
  const reasons = spamReasons({
    honeypot: input.website,
    name,
    metadata,
    conversation,
    phoneIsUnusable: phone.phoneRaw !== undefined,
  })
  const lead = {
    ...given,
    ...bhk,
    projectId: project.projectId,
    ...(project.ownerId && { ownerId: project.ownerId }),
    leadSource: 'ChatWidget',
    status: 'new' as const,
    conversation,
    quarantined: reasons.length > 0,
    ...(reasons.length > 0 && { spam: { score: reasons.length, reasons } }),
    ...(submission.idempotencyKey && { inputDigest: digestOf(input).toString('base64url') }),
    ...searchFieldsOf(given),
    pending: true as const,
    createdAt: submission.now,
    updatedAt: submission.now,
  }
  return { _id: objectIdOf(captureKey(lead, submission)), ...lead }
}

/**
 * What makes two submissions the same: the `Idempotency-Key`; else the phone and the messages; else, where no message
 * has an id, all that tells two visitors of a day apart. Messages are known by id and time, which a retry repeats: a
 * widget may number its messages, and then two visitors have the same ids. All within a project, since anybody may name
 * a microsite.
 */
function captureKey(lead: Omit<Lead, '_id'>, submission: Submission): Buffer {
  const { projectId, microsite, phone, phoneRaw, conversation, metadata, bhkType } = lead
  const place = [projectId, microsite]
  if (submission.idempotencyKey) return digestOf(['key', ...place, submission.idempotencyKey])
  const messages = conversation.flatMap(({ id, timestamp }) => (id === undefined ? [] : [[id, timestamp]]))
  const person = [...place, phone ?? phoneRaw]
  if (messages.length > 0) return digestOf(['messages', ...person, ...messages])
  const { firstSeenAt } = (metadata.visitor ?? {}) as FreeForm
  const { clientAddress, userAgent, now } = submission
  return digestOf(['visitor', ...person, clientAddress, userAgent, bhkType, firstSeenAt, dayOf(now)])
}

const capturedFieldsOf = namedFieldsOf(CapturedLead)

function toCaptured(lead: Lead): CapturedLead {
  return { ...capturedFieldsOf(toPublicLead(lead)), status: 'new', updatedAt: lead.createdAt }
}
