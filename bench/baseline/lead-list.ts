import { type QueryFilter, Types } from 'mongoose'
import { z } from 'zod'
import { BhkType } from '../../lib/domain/leads/bhk.js'
import { matchingSearch, SearchText } from '../../lib/domain/leads/lead-search.js'
import { EndMoment, Moment } from '../../lib/domain/moment.js'
import { Lead, type StoredLead, toPublicLead } from './models/lead.js'

const COUNTED_EXACTLY = 10_000
const CURSOR = /^[0-9a-z]{1,9}\.[0-9a-f]{24}$/

/** The query of a list of leads. */
export const LeadFilter = z.object({
  microsite: z.string().trim().min(1).max(200).optional(),
  search: SearchText.optional(),
  status: z.enum(['new', 'contacted', 'qualified', 'closed']).optional(),
  bhkType: BhkType.optional(),
  startDate: Moment.default(new Date(0)),
  endDate: EndMoment.optional(),
  spam: z.enum(['no', 'only', 'all']).default('no'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  skip: z.coerce.number().int().min(0).max(10_000).default(0),
  cursor: z.string().regex(CURSOR).optional(),
  count: z.literal('exact').optional(),
})
export type LeadFilter = z.infer<typeof LeadFilter>

/** A page of leads, newest first, and how many there are, counted up to 10,000. */
export async function listLeads(filter: LeadFilter) {
  const { limit, skip, cursor, count } = filter
  const matching = queryOf(filter)
  const [found, counted] = await Promise.all([
    Lead.find(cursor === undefined ? matching : { $and: [matching, after(cursor)] })
      .sort({ createdAt: -1, _id: -1 })
      .skip(skip)
      .limit(limit + 1)
      .batchSize(limit + 1)
      .lean(),
    Lead.countDocuments(matching, count === 'exact' ? {} : { limit: COUNTED_EXACTLY + 1 }),
  ])
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const isLowerBound = count !== 'exact' && counted > COUNTED_EXACTLY
  return {
    items: items.map(toPublicLead),
    nextCursor: found.length > limit && last ? `${last.createdAt.getTime().toString(36)}.${last._id}` : null,
    total: isLowerBound ? COUNTED_EXACTLY : counted,
    ...(isLowerBound && { totalIsLowerBound: true }),
  }
}

function queryOf({ microsite, search, status, bhkType, startDate, endDate, spam }: LeadFilter) {
  return {
    ...(microsite && { microsite }),
    ...(status && { status }),
    ...(bhkType && { bhkType }),
    ...(search && matchingSearch(search)),
    createdAt: { $gte: startDate, ...(endDate && { $lte: endDate }) },
    quarantined: spam === 'all' ? { $in: [false, true] } : spam === 'only',
  } as QueryFilter<StoredLead>
}

function after(cursor: string): QueryFilter<StoredLead> {
  const [time = '', id] = cursor.split('.')
  const createdAt = new Date(Number.parseInt(time, 36))
  const later = [{ createdAt: { $lt: createdAt } }, { _id: { $lt: new Types.ObjectId(id) } }]
  return { createdAt: { $lte: createdAt }, $or: later }
}
