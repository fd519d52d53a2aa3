import type { Filter } from 'mongodb'
import { z } from 'zod'
import { after, Cursor, newestFirst, page } from '../db/keyset.js'
import { BhkType } from './bhk.js'
import { type DataScope, within } from './data-scope.js'
import { matchingSearch, SearchText } from './lead-search.js'
import { type Lead, LeadStatus, leads, Microsite, PublicLead, toPublicLead } from './leads.js'
import { EndMoment, Moment } from './moment.js'

export const SpamFilter = z.enum(['no', 'only', 'all'])

const MAX_SKIP = 10_000
const COUNTED_EXACTLY = 10_000

/** Which leads; dates without a time are whole UTC days, the last one included. */
export const LeadSelection = z.object({
  microsite: Microsite.optional(),
  search: SearchText.optional(),
  status: LeadStatus.optional(),
  bhkType: BhkType.optional(),
  startDate: Moment.optional(),
  endDate: EndMoment.optional(),
  spam: SpamFilter.default('no'),
})
export type LeadSelection = z.infer<typeof LeadSelection>

/** The query of a list of leads. */
export const LeadFilter = LeadSelection.extend({
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
 * A page of the leads that the caller may see, newest first. `total` is counted up to 10,000, unless the filter
 * asks for an exact count.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function listLeads(scope: DataScope, filter: LeadFilter): Promise<LeadPage> {
  const found = await leads.open()
  const matching = { $and: [within<Lead>(scope), selectionQuery(filter)] }
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
    items: items.map(toPublicLead),
    total: totalIsLowerBound ? COUNTED_EXACTLY : counted,
    ...(totalIsLowerBound && { totalIsLowerBound }),
    nextCursor,
  }
}

/** Every lead of a selection, newest first, as they are read: however many there are, few are in memory. */
export async function* streamLeads(scope: DataScope, selection: LeadSelection): AsyncGenerator<PublicLead> {
  const found = (await leads.open())
    .find({ $and: [within<Lead>(scope), selectionQuery(selection)] })
    .sort(newestFirst)
    .batchSize(EXPORT_BATCH)
  for await (const lead of found) yield toPublicLead(lead)
}

const EXPORT_BATCH = 500

export const LeadPage = z.object({
  items: z.array(PublicLead),
  total: z.number().int(),
  /** There are more than `total`. */
  totalIsLowerBound: z.literal(true).optional(),
  nextCursor: z.string().nullable(),
})
export type LeadPage = z.infer<typeof LeadPage>

function selectionQuery(filter: LeadSelection): Filter<Lead> {
  const { microsite, search, status, bhkType, startDate, endDate, spam } = filter
  return {
    ...(microsite && { microsite }),
    ...(status && { status }),
    ...(bhkType && { bhkType }),
    ...((startDate || endDate) && {
      createdAt: { ...(startDate && { $gte: startDate }), ...(endDate && { $lte: endDate }) },
    }),
    quarantined: spam === 'all' ? { $in: [false, true] } : spam === 'only',
    ...(search && matchingSearch(search)),
  }
}
