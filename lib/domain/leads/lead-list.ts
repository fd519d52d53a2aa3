import type { Filter } from 'mongodb'
import { z } from 'zod'
import { newestFirst } from '../../db/keyset.js'
import { createdWithin, listNewestFirst, PageQuery, pageOf } from '../../db/listing.js'
import { type DataScope, scopeFilter } from '../data-scope.js'
import { fitToPage } from '../list-size.js'
import { EndMoment, Moment } from '../moment.js'
import { Microsite } from '../widgets/microsite.js'
import { BhkType } from './bhk.js'
import { matchingSearch, SearchText } from './lead-search.js'
import { type Lead, LeadStatus, leads, PublicLead, shownOfLead, toPublicLead } from './leads.js'

const SpamFilter = z.enum(['no', 'only', 'all'])

/** How many leads of an export are read at a time. */
const EXPORT_BATCH = 500

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
export const LeadFilter = LeadSelection.extend(PageQuery.shape).extend({
  count: z.literal('exact').optional(),
})
export type LeadFilter = z.infer<typeof LeadFilter>

export const LeadPage = pageOf(PublicLead)
export type LeadPage = z.infer<typeof LeadPage>

/**
 * A page of the leads that the caller may see, newest first. `total` is counted up to 10,000, unless the filter
 * asks for an exact count.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function listLeads(scope: DataScope, filter: LeadFilter): Promise<LeadPage> {
  const matching = { $and: [scopeFilter<Lead>(scope), selectionQuery(filter)] }
  const query = { ...filter, exact: filter.count === 'exact' }
  const found = await listNewestFirst(await leads.open(), matching, query, shownOfLead)
  return { ...found, items: fitToPage(found.items.map(toPublicLead)) }
}

/** Every lead of a selection, newest first, as they are read: however many there are, few are in memory. */
export async function* streamLeads(scope: DataScope, selection: LeadSelection): AsyncGenerator<PublicLead> {
  const found = (await leads.open())
    .find({ $and: [scopeFilter<Lead>(scope), selectionQuery(selection)] }, { projection: shownOfLead })
    .sort(newestFirst)
    .batchSize(EXPORT_BATCH)
  for await (const lead of found) yield toPublicLead(lead)
}

function selectionQuery(filter: LeadSelection): Filter<Lead> {
  const { microsite, search, status, bhkType, startDate, endDate, spam } = filter
  return {
    ...(microsite && { microsite }),
    ...(status && { status }),
    ...(bhkType && { bhkType }),
    ...createdWithin(startDate, endDate),
    quarantined: spam === 'all' ? { $in: [false, true] } : spam === 'only',
    ...(search && matchingSearch(search)),
  }
}
