import type { Filter, UpdateFilter } from 'mongodb'
import { onlyDuplicates } from '../../lib/db/errors.js'
import { type CountedType, type EventCount, eventCounts } from '../../lib/domain/events/event-counts.js'
import { COUNTED_EVENTS, countersOfEvent, events } from '../../lib/domain/events/events.js'
import { counterOfLead, leads } from '../../lib/domain/leads/leads.js'

const CHUNK = 500

/** What a migration adds to one counter. */
export interface ImportedCount {
  _id: EventCount['_id']
  count: number
}

/**
 * What the documents of a migration add to the daily counters.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function countImported(migration: number): Promise<ImportedCount[]> {
  const totals = new Map<string, ImportedCount>()
  function add({ projectId, microsite, type, day }: EventCount['_id'], count: number) {
    // The order of the fields is part of the id.
    const _id = { projectId, microsite, type, day }
    const key = JSON.stringify(_id)
    totals.set(key, { _id, count: (totals.get(key)?.count ?? 0) + count })
  }
  const groups = (await events.open()).aggregate<{
    _id: { type: CountedType; projectId: string; microsite: string; day: string }
    count: number
  }>([
    { $match: { migration, type: { $in: COUNTED_EVENTS } } },
    {
      $group: {
        _id: { type: '$type', projectId: '$projectId', microsite: '$microsite', day: '$day' },
        count: { $sum: 1 },
      },
    },
  ])
  for await (const { _id, count } of groups) for (const counter of countersOfEvent(_id)) add(counter, count)
  const imported = (await leads.open()).find(
    { migration, quarantined: false },
    { projection: { projectId: 1, microsite: 1, createdAt: 1 } },
  )
  for await (const lead of imported) add(counterOfLead(lead), 1)
  return [...totals.values()]
}

/**
 * Adds to the counters what a migration brought, each once: the counter itself remembers who has added to it, in the
 * same write. Returns how many counters there are.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function addToCounters(migration: number): Promise<number> {
  const imported = await countImported(migration)
  const counters = await eventCounts.open()
  for (let i = 0; i < imported.length; i += CHUNK) {
    const chunk = imported.slice(i, i + CHUNK)
    try {
      await counters.bulkWrite(
        chunk.map(added => ({ updateOne: { ...adding(migration, added, true), upsert: true } })),
        { ordered: false },
      )
    } catch (error) {
      if (!onlyDuplicates(error)) throw error
      // Counters that have been added to already, or that were made at this moment: an upsert tells them not apart.
      await counters.bulkWrite(
        chunk.map(added => ({ updateOne: adding(migration, added, false) })),
        { ordered: false },
      )
    }
  }
  return imported.length
}

function adding(
  migration: number,
  { _id, count }: ImportedCount,
  mayMake: boolean,
): { filter: Filter<EventCount>; update: UpdateFilter<EventCount> } {
  return {
    filter: { _id, 'imports.migration': { $ne: migration } },
    update: {
      $inc: { count },
      $push: { imports: { migration, count } },
      ...(mayMake && { $setOnInsert: { migration } }),
    },
  }
}
