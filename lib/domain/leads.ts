import { createHash } from 'node:crypto'
import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { isDuplicateKey } from '../db/errors.js'
import { after, Cursor, newestFirst, page } from '../db/keyset.js'
import { AppError, invalidField } from '../errors.js'
import { BhkType, normaliseBhk } from './bhk.js'
import { saveLeadSession } from './chat-sessions.js'
import { CapturedConversation, Message, PublicMessage, toPublicMessages } from './conversation.js'
import { type DataScope, within } from './data-scope.js'
import { countEach, dayOf, type EventCount } from './event-counts.js'
import { CapturedFreeForm, type FreeForm } from './free-form.js'
import { hostOf } from './hosts.js'
import { DEFAULT_PHONE_COUNTRY, normalisePhone, phoneCountry } from './phone.js'
import { type Project, ProjectId } from './widget-configs.js'

export const LeadStatus = z.enum(['new', 'contacted', 'qualified', 'closed'])
export type LeadStatus = z.infer<typeof LeadStatus>

/** A microsite's name: often a host name. Dots and case are kept. */
export const Microsite = z.string().trim().min(1).max(200)

/** A scalar that old clients send as a text or as a number; empty, or of another type, counts as not given. */
const looseText = z
  .union([z.string(), z.number()])
  .nullish()
  .catch(undefined)
  .transform(value => (value === null || value === undefined ? undefined : String(value).trim() || undefined))

/**
 * A lead as every generation of the widget submits it. What can be read is read and the rest is left out: a lead
 * is worth more than its form, and whether there is anything to follow up is decided when it is captured.
 */
export const LeadInput = z.object({
  phone: looseText.transform(text => text?.slice(0, 64)),
  bhk: looseText.transform(text =>
    text && /^\d{1,3}(\.\d)?$/.test(text) ? Number(text) : text?.slice(0, 200),
  ),
  bhkType: looseText.transform(text => text?.slice(0, 200)),
  microsite: looseText.transform(text => text?.slice(0, 200)),
  metadata: CapturedFreeForm,
  conversation: CapturedConversation,
})
export type LeadInput = z.infer<typeof LeadInput>

/**
 * The project that a submission belongs to: the one it names, else its microsite, else the host of the page it
 * came from. `default` is the name under which old widgets know the project without one.
 */
export function projectIdOf(input: LeadInput, origin: string | null): string {
  const named = ProjectId.safeParse(input.metadata.projectId)
  return named.data ?? input.microsite ?? (hostOf(origin ?? '') || 'default')
}

export const Lead = z.object({
  /** Derived from what makes a submission the same one: see `captureKey`. */
  _id: z.instanceof(ObjectId),
  /** E.164; absent where the number that was given is none (`phoneRaw`) or none was. */
  phone: z.string().optional(),
  phoneRaw: z.string().optional(),
  name: z.string().optional(),
  bhkType: BhkType,
  bhk: z.number().optional(),
  bhkRaw: z.string().optional(),
  microsite: z.string(),
  projectId: z.string(),
  ownerId: z.instanceof(ObjectId).optional(),
  leadSource: z.string(),
  status: LeadStatus,
  metadata: z.record(z.string(), z.unknown()),
  conversation: z.array(Message),
  /** Set while the lead is in quarantine: kept, but left out of lists and counts. */
  spam: z.object({ score: z.number(), reasons: z.array(z.string()) }).optional(),
  /** Digest of the submission, where its client named it with an `Idempotency-Key`. */
  inputDigest: z.string().optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type Lead = z.infer<typeof Lead>

export const leads = collection<Lead>({
  name: 'leads',
  schema: Lead,
  indexes: [
    // A person on a microsite.
    { name: 'phone_microsite', key: { phone: 1, microsite: 1 } },
    // The lists: of a microsite, of an owner, of everything; and the days that counters are recomputed for.
    { name: 'microsite_newest', key: { microsite: 1, createdAt: -1, _id: -1 } },
    { name: 'owner_newest', key: { ownerId: 1, createdAt: -1, _id: -1 } },
    { name: 'newest', key: { createdAt: -1, _id: -1 } },
    // Those of a project, when it changes hands.
    { name: 'projectId', key: { projectId: 1 } },
  ],
})

/** What a capture has to know of the request it came with. */
export interface Submission {
  now: Date
  clientAddress: string
  userAgent: string
  idempotencyKey: string | undefined
  /** Refuse what would otherwise be repaired. */
  strict: boolean
  background(task: Promise<unknown>): void
}

/**
 * Stores a lead, once: the same submission again is answered with the lead that it made the first time. Lead
 * and chat session are written side by side in one round trip, which their ids allow: both are derived from the
 * submission, so a crash between the two is mended by the client's retry. The counter follows after the answer.
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
  const [{ stored, inserted }] = await Promise.all([
    insertOnce(lead),
    // Under a key that two bodies may carry, the chat has to wait until it is known whose lead it is.
    lead.inputDigest === undefined && saveLeadSession(lead),
  ])
  if (stored.inputDigest !== lead.inputDigest)
    throw new AppError('conflict', 'This Idempotency-Key was used for another lead.')
  if (lead.inputDigest !== undefined) await saveLeadSession(stored)
  if (inserted && !stored.spam) submission.background(countEach([countedAs(stored)]))
  return toCaptured(stored)
}

/** The counter that a lead belongs to. */
export function countedAs({ projectId, microsite, createdAt }: Lead): EventCount['_id'] {
  return { projectId, microsite, type: 'leadsCaptured', day: dayOf(createdAt) }
}

export const SpamFilter = z.enum(['no', 'only', 'all'])

const MAX_SKIP = 10_000
const COUNTED_EXACTLY = 10_000

const Day = z.iso.date()
const Time = z.iso.datetime({ offset: true })
// Not what Date.parse takes: that finds a date in `5`, and reads a time without a zone in the server's own.
const Moment = z
  .string()
  .refine(
    text => Day.safeParse(text).success || Time.safeParse(text).success,
    'must be a date (YYYY-MM-DD) or an ISO 8601 time with its zone',
  )

/** The query of a list of leads. Dates without a time are whole UTC days, the last one included. */
export const LeadFilter = z.object({
  microsite: Microsite.optional(),
  status: LeadStatus.optional(),
  bhkType: BhkType.optional(),
  startDate: Moment.transform(text => new Date(text)).optional(),
  endDate: Moment.transform(
    text => new Date(Day.safeParse(text).success ? `${text}T23:59:59.999Z` : text),
  ).optional(),
  spam: SpamFilter.default('no'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  skip: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_SKIP, `must be at most ${MAX_SKIP}: follow nextCursor with cursor instead`)
    .default(0),
  cursor: Cursor.optional(),
  count: z.literal('exact').optional(),
})
export type LeadFilter = z.infer<typeof LeadFilter>

/**
 * A page of the leads that the caller may see, newest first. `total` is counted up to 10,000, unless the filter asks for an exact count.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function listLeads(scope: DataScope, filter: LeadFilter): Promise<LeadPage> {
  const found = await leads.open()
  const matching = { $and: [within<Lead>(scope), queryOf(filter)] }
  const bound = filter.count === 'exact' ? {} : { limit: COUNTED_EXACTLY + 1 }
  const [fetched, counted] = await Promise.all([
    found
      .find(filter.cursor ? { $and: [matching, after<Lead>(filter.cursor)] } : matching)
      .sort(newestFirst)
      .skip(filter.skip)
      .limit(filter.limit + 1)
      .toArray(),
    found.countDocuments(matching, bound),
  ])
  const { items, nextCursor } = page(fetched, filter.limit)
  const totalIsLowerBound = filter.count !== 'exact' && counted > COUNTED_EXACTLY
  return {
    items: items.map(toPublic),
    total: totalIsLowerBound ? COUNTED_EXACTLY : counted,
    ...(totalIsLowerBound && { totalIsLowerBound }),
    nextCursor,
  }
}

/** A lead as it leaves the API, under both names of its id. */
export const PublicLead = Lead.omit({
  _id: true,
  ownerId: true,
  inputDigest: true,
  conversation: true,
}).extend({
  id: z.string(),
  _id: z.string(),
  conversation: z.array(PublicMessage),
})
export type PublicLead = z.infer<typeof PublicLead>

/** A lead as its own client sees it: quarantine, and what became of it since, are the operators' business. */
export const CapturedLead = PublicLead.omit({ spam: true })
export type CapturedLead = z.infer<typeof CapturedLead>

/** What a widget is answered. */
export const LeadCreated = z.object({ message: z.string(), lead: CapturedLead })

export const LeadPage = z.object({
  items: z.array(PublicLead),
  total: z.number().int(),
  /** There are more than `total`. */
  totalIsLowerBound: z.literal(true).optional(),
  nextCursor: z.string().nullable(),
})
export type LeadPage = z.infer<typeof LeadPage>

function leadFrom(input: LeadInput, project: Project, submission: Submission): Lead {
  const { metadata, conversation } = input
  const microsite = input.microsite ?? project.projectId
  const phone = readPhone(input, project)
  const bhk = normaliseBhk(input.bhk, input.bhkType)
  const hasOther = conversation.length > 0 || input.bhk !== undefined || input.bhkType !== undefined
  if (!phone.phone && !phone.phoneRaw && !hasOther)
    throw invalidField('phone', 'is required where there is neither a BHK nor a conversation')
  if (phone.phoneRaw && (submission.strict || !hasOther)) throw invalidField('phone', 'is not a phone number')

  const name = typeof metadata.name === 'string' ? metadata.name.trim().slice(0, 200) : ''
  const lead = {
    ...phone,
    ...(name && { name }),
    ...bhk,
    microsite,
    projectId: project.projectId,
    ...(project.ownerId && { ownerId: project.ownerId }),
    leadSource: 'ChatWidget',
    status: 'new' as const,
    metadata,
    conversation,
    ...(phone.phoneRaw && { spam: { score: 1, reasons: ['invalid_phone'] } }),
    ...(submission.idempotencyKey && { inputDigest: digest(input).toString('base64url') }),
    createdAt: submission.now,
    updatedAt: submission.now,
  }
  return { _id: new ObjectId(captureKey(lead, submission).subarray(0, 12)), ...lead }
}

function readPhone(input: LeadInput, project: Project): { phone?: string; phoneRaw?: string } {
  if (input.phone === undefined) return {}
  const country =
    phoneCountry(input.metadata.phoneCountryCode) ??
    phoneCountry(project.phoneCountry) ??
    DEFAULT_PHONE_COUNTRY
  const phone = normalisePhone(input.phone, country)
  return phone === undefined ? { phoneRaw: input.phone } : { phone }
}

/**
 * What makes two submissions the same one: the key that their client gave them, else the phone and the messages
 * behind it, else (no message has an id) whatever tells two visitors of a day apart.
 */
function captureKey(lead: Omit<Lead, '_id'>, submission: Submission): Buffer {
  const { microsite, phone, phoneRaw, conversation, metadata, bhkType } = lead
  if (submission.idempotencyKey) return digest(['key', microsite, submission.idempotencyKey])
  const messageIds = conversation.flatMap(message => message.id ?? [])
  const person = [microsite, phone ?? phoneRaw]
  if (messageIds.length > 0) return digest(['messages', ...person, ...messageIds])
  const { firstSeenAt } = (metadata.visitor ?? {}) as FreeForm
  const { clientAddress, userAgent, now } = submission
  return digest(['visitor', ...person, clientAddress, userAgent, bhkType, firstSeenAt, dayOf(now)])
}

function digest(value: unknown): Buffer {
  return createHash('sha256').update(JSON.stringify(value)).digest()
}

async function insertOnce(lead: Lead): Promise<{ stored: Lead; inserted: boolean }> {
  const captured = await leads.open()
  try {
    await captured.insertOne(lead)
    return { stored: lead, inserted: true }
  } catch (error) {
    if (!isDuplicateKey(error)) throw error
  }
  const stored = await captured.findOne({ _id: lead._id })
  // Deleted between the two: the next try inserts it.
  if (!stored) throw new AppError('unavailable', undefined, { retryAfterSeconds: 1 })
  return { stored, inserted: false }
}

function queryOf(filter: LeadFilter): Filter<Lead> {
  const { microsite, status, bhkType, startDate, endDate, spam } = filter
  return {
    ...(microsite && { microsite }),
    ...(status && { status }),
    ...(bhkType && { bhkType }),
    ...((startDate || endDate) && {
      createdAt: { ...(startDate && { $gte: startDate }), ...(endDate && { $lte: endDate }) },
    }),
    ...(spam !== 'all' && { spam: { $exists: spam === 'only' } }),
  }
}

/** Only what the shape names: a document may hold more than this code knows of. */
function toPublic(lead: Lead): PublicLead {
  const fields = Object.entries(lead).filter(([field]) => Object.hasOwn(PublicLead.shape, field))
  const id = lead._id.toHexString()
  const conversation = toPublicMessages(lead.conversation)
  return { ...(Object.fromEntries(fields) as Omit<PublicLead, 'id' | '_id'>), id, _id: id, conversation }
}

function toCaptured(lead: Lead): CapturedLead {
  const { spam: _quarantine, ...fields } = toPublic(lead)
  return { ...fields, status: 'new', updatedAt: lead.createdAt }
}
