import type { Collection, Document, Filter, WithId } from 'mongodb'
import { z } from 'zod'
import { after, CursorQuery, cursorPage, newestFirst, page } from './keyset.js'

const MAX_SKIP = 10_000

/** Up to here a total is counted, unless an exact one is asked for. */
const COUNTED_EXACTLY = 10_000

/** Which page of a list. `skip` is for old clients and bounded, since what it skips is read. */
export const PageQuery = CursorQuery.extend({
  skip: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_SKIP, `must be at most ${MAX_SKIP}: follow nextCursor with cursor instead`)
    .default(0),
})

/** A page as it leaves the API. */
export function pageOf<T extends z.ZodType>(item: T) {
  return cursorPage(item).extend({
    total: z.number().int(),
    /** There are more than `total`. */
    totalIsLowerBound: z.literal(true).optional(),
  })
}

interface Page<T> {
  items: T[]
  total: number
  totalIsLowerBound?: true
  nextCursor: string | null
}

/**
 * A page of what matches, newest first, with its total: two queries side by side.
 *
 * @param projection with `_id` and `createdAt`, which say where the next page begins.
 */
export async function listNewestFirst<T extends Document & { createdAt: Date }>(
  collection: Collection<T>,
  matching: Filter<T>,
  { limit, skip, cursor, exact }: z.infer<typeof PageQuery> & { exact?: boolean },
  projection: Document = {},
): Promise<Page<WithId<T>>> {
  const [fetched, counted] = await Promise.all([
    collection
      .find(cursor ? ({ $and: [matching, after<T>(cursor)] } as Filter<T>) : matching, { projection })
      .sort(newestFirst)
      .skip(skip)
      .limit(limit + 1)
      // A first batch is 101 documents unless it is asked for more: a longer page would take another round trip.
      .batchSize(limit + 1)
      .toArray(),
    collection.countDocuments(matching, exact ? {} : { limit: COUNTED_EXACTLY + 1 }),
  ])
  const isLowerBound = !exact && counted > COUNTED_EXACTLY
  return {
    ...page(fetched, limit),
    total: isLowerBound ? COUNTED_EXACTLY : counted,
    ...(isLowerBound && { totalIsLowerBound: true as const }),
  }
}

/**
 * Filters by when a document was created. Without a start the span begins in 1970: a count without any condition would
 * read the documents and not an index.
 */
export function createdWithin(start: Date = new Date(0), end?: Date): { createdAt: object } {
  return { createdAt: { $gte: start, ...(end && { $lte: end }) } }
}
