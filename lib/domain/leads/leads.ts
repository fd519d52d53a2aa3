import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { Message, PublicMessage, toPublicMessages } from '../chats/messages.js'
import { dayOf, type EventCount } from '../events/event-counts.js'
import { namedFieldsOf } from '../named-fields.js'
import { BhkType } from './bhk.js'

export const LeadStatus = z.enum(['new', 'contacted', 'qualified', 'closed'])
export type LeadStatus = z.infer<typeof LeadStatus>

const HistoryEntry = z.object({
  at: z.date(),
  by: z.string(),
  status: LeadStatus.optional(),
  note: z.string().optional(),
  /** A lead that was let out of quarantine, or whose quarantine was confirmed. */
  spam: z.enum(['released', 'confirmed']).optional(),
})
export type HistoryEntry = z.infer<typeof HistoryEntry>

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
  /**
   * Kept, but left out of lists and counters, though not of its head's `submissions`; `spam` says why, and whether an
   * operator confirmed it.
   */
  quarantined: z.boolean(),
  spam: z
    .object({ score: z.number(), reasons: z.array(z.string()), confirmedAt: z.date().optional() })
    .optional(),
  /** What operators made of it, oldest first. */
  history: z.array(HistoryEntry).optional(),
  /** On the first lead of a phone on a microsite: what makes it the only one, and what came after it, spam too. */
  headKey: z.string().optional(),
  submissions: z.number().int().positive().optional(),
  lastSeenAt: z.date().optional(),
  /** On later ones: the first. */
  duplicateOf: z.instanceof(ObjectId).optional(),
  /** Set from capture until the lead is linked and counted. */
  pending: z.literal(true).optional(),
  searchKeys: z.array(z.string()).optional(),
  searchText: z.string().optional(),
  /** The migration that brought it from the old store. */
  migration: z.number().int().optional(),
  /** On a head that was there before: what it was when a migration added submissions, to undo that exactly. */
  imports: z
    .array(
      z.object({
        migration: z.number().int(),
        submissions: z.number().int().optional(),
        lastSeenAt: z.date().optional(),
      }),
    )
    .optional(),
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
    // The lists and their counts: of a microsite, of an owner, of everything; counters are recomputed by the last.
    { name: 'microsite_list', key: { microsite: 1, quarantined: 1, createdAt: -1, _id: -1 } },
    { name: 'owner_list', key: { ownerId: 1, quarantined: 1, createdAt: -1, _id: -1 } },
    { name: 'list', key: { quarantined: 1, createdAt: -1, _id: -1 } },
    // The same of one status or type: a rare one would otherwise be looked for among all.
    { name: 'microsite_status', key: { microsite: 1, quarantined: 1, status: 1, createdAt: -1, _id: -1 } },
    { name: 'owner_status', key: { ownerId: 1, quarantined: 1, status: 1, createdAt: -1, _id: -1 } },
    { name: 'status', key: { quarantined: 1, status: 1, createdAt: -1, _id: -1 } },
    { name: 'microsite_bhkType', key: { microsite: 1, quarantined: 1, bhkType: 1, createdAt: -1, _id: -1 } },
    { name: 'owner_bhkType', key: { ownerId: 1, quarantined: 1, bhkType: 1, createdAt: -1, _id: -1 } },
    { name: 'bhkType', key: { quarantined: 1, bhkType: 1, createdAt: -1, _id: -1 } },
    // The searches: one key by equality, the newest first behind it. Some fifty keys a lead, and as many of an owner's.
    {
      name: 'owned_search',
      key: { ownerId: 1, searchKeys: 1, createdAt: -1, _id: -1 },
      partialFilterExpression: { ownerId: { $exists: true } },
    },
    { name: 'search', key: { searchKeys: 1, createdAt: -1, _id: -1 } },
    // One head of a phone on a microsite, and how many leads it has behind it.
    {
      name: 'headKey',
      key: { headKey: 1 },
      unique: true,
      partialFilterExpression: { headKey: { $exists: true } },
    },
    { name: 'duplicateOf', key: { duplicateOf: 1 }, sparse: true },
    // What a crash left unlinked or uncounted.
    {
      name: 'pending',
      key: { pending: 1, createdAt: 1 },
      partialFilterExpression: { pending: true },
    },
    // Those of a project, when it changes hands.
    { name: 'projectId', key: { projectId: 1 } },
  ],
})

/** The counter that a lead belongs to. */
export function counterOfLead({ projectId, microsite, createdAt }: Lead): EventCount['_id'] {
  return { projectId, microsite, type: 'leadsCaptured', day: dayOf(createdAt) }
}

/** A lead as it leaves the API, under both names of its id. */
export const PublicLead = Lead.omit({
  _id: true,
  ownerId: true,
  quarantined: true,
  headKey: true,
  duplicateOf: true,
  pending: true,
  searchKeys: true,
  searchText: true,
  migration: true,
  imports: true,
  inputDigest: true,
  conversation: true,
}).extend({
  id: z.string(),
  _id: z.string(),
  duplicateOf: z.string().optional(),
  conversation: z.array(PublicMessage),
  /** It has more than an answer could hold. In a list: more to show by itself. */
  truncated: z.literal(true).optional(),
})
export type PublicLead = z.infer<typeof PublicLead>

/** What of a document is shown, as a projection: what finds it by search is a third of it. */
export const shownOfLead = Object.fromEntries(
  Object.keys(Lead.shape).flatMap(field => (Object.hasOwn(PublicLead.shape, field) ? [[field, 1]] : [])),
)

const publicFieldsOf = namedFieldsOf(PublicLead)

/** A lead for who may see it. */
export function toPublicLead(lead: Lead): PublicLead {
  const id = lead._id.toHexString()
  const conversation = toPublicMessages(lead.conversation)
  const duplicateOf = lead.duplicateOf?.toHexString()
  return { ...publicFieldsOf(lead), id, _id: id, conversation, ...(duplicateOf && { duplicateOf }) }
}

/** The columns of a lead in a spreadsheet. */
export const leadColumns: Readonly<Record<string, (lead: PublicLead) => string | number | Date | undefined>> =
  {
    id: lead => lead.id,
    createdAt: lead => lead.createdAt,
    name: lead => lead.name,
    phone: lead => lead.phone ?? lead.phoneRaw,
    bhkType: lead => lead.bhkType,
    microsite: lead => lead.microsite,
    projectId: lead => lead.projectId,
    status: lead => lead.status,
    source: lead => lead.leadSource,
    messages: lead => lead.conversation.length,
    submissions: lead => lead.submissions,
    duplicateOf: lead => lead.duplicateOf,
    spam: lead => lead.spam?.reasons.join(' '),
    lastNote: lead => lead.history?.findLast(entry => entry.note !== undefined)?.note,
  }
