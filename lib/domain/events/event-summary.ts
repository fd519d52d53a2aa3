import type { Filter } from 'mongodb'
import { z } from 'zod'
import { type DataScope, oneOf } from '../data-scope.js'
import { Moment } from '../moment.js'
import { Microsite } from '../widgets/microsite.js'
import { ProjectId, widgetConfigs } from '../widgets/widget-configs.js'
import { CountedType, dayOf, type EventCount, eventCounts } from './event-counts.js'

/** The query of a summary. Without dates it covers everything; days are UTC days, the last one included. */
export const SummaryFilter = z.object({
  microsite: Microsite.optional(),
  projectId: ProjectId.optional(),
  from: Moment.optional(),
  to: Moment.optional(),
  interval: z.literal('day').optional(),
})
export type SummaryFilter = z.infer<typeof SummaryFilter>

export const EventSummary = z.object({
  chatsShown: z.number().int(),
  chatsStarted: z.number().int(),
  leadsCaptured: z.number().int(),
  /** A row for each type and day that has any, oldest first. */
  series: z.array(z.object({ date: z.string(), type: CountedType, count: z.number().int() })).optional(),
})
export type EventSummary = z.infer<typeof EventSummary>

/** Years of days in one batch: a second one is another round trip. */
const BATCH = 10_000

interface Group {
  _id: { type: CountedType; day?: string }
  count: number
}

/**
 * The funnel of what the caller may see, from the daily counters: it costs days, however many events there were.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function summariseEvents(scope: DataScope, filter: SummaryFilter): Promise<EventSummary> {
  const byDay = filter.interval === 'day'
  const groups = await (await eventCounts.open())
    .aggregate<Group>(
      [
        { $match: { $and: [await withinScope(scope), matching(filter)] } },
        {
          $group: {
            _id: { type: '$_id.type', ...(byDay && { day: '$_id.day' }) },
            count: { $sum: '$count' },
          },
        },
      ],
      { batchSize: BATCH },
    )
    .toArray()
  const total = (type: CountedType) =>
    groups.reduce((sum, group) => (group._id.type === type ? sum + group.count : sum), 0)
  const series = groups.map(({ _id, count }) => ({ date: _id.day ?? '', type: _id.type, count }))
  return {
    chatsShown: total('chatsShown'),
    chatsStarted: total('chatsStarted'),
    leadsCaptured: total('leadsCaptured'),
    ...(byDay && { series: series.sort((a, b) => (`${a.date}${a.type}` < `${b.date}${b.type}` ? -1 : 1)) }),
  }
}

/** Counters carry no owner: what somebody owns is the projects that are theirs now. */
async function withinScope({ ownerIds, microsites }: DataScope): Promise<Filter<EventCount>> {
  const owned = ownerIds && (await projectsOf(ownerIds))
  return {
    ...(owned && { '_id.projectId': { $in: owned } }),
    ...(microsites && { '_id.microsite': { $in: microsites } }),
  }
}

async function projectsOf(ownerIds: NonNullable<DataScope['ownerIds']>): Promise<string[]> {
  const configs = await widgetConfigs.open()
  const owned = configs.find({ ownerId: oneOf(ownerIds) }, { projection: { projectId: 1 } })
  return (await owned.toArray()).map(config => config.projectId)
}

function matching({ microsite, projectId, from, to }: SummaryFilter): Filter<EventCount> {
  return {
    ...(microsite !== undefined && { '_id.microsite': microsite }),
    ...(projectId !== undefined && { '_id.projectId': projectId }),
    ...((from || to) && {
      '_id.day': { ...(from && { $gte: dayOf(from) }), ...(to && { $lte: dayOf(to) }) },
    }),
  }
}
