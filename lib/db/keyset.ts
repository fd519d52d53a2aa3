import { type Document, type Filter, ObjectId, type WithId } from 'mongodb'
import { z } from 'zod'
import { countWithinPage } from './page-size.js'

/** A place in a list that is sorted newest first: the last document that was seen. */
export interface Position {
  createdAt: Date
  id: ObjectId
}

/** The order of every list, which every listing index ends in. `_id` decides between equal times. */
export const newestFirst = { createdAt: -1, _id: -1 } as const

const CURSOR = /^([0-9a-z]{1,9})\.([0-9a-f]{24})$/

/** The opaque `cursor` query parameter: where the previous page ended. */
export const Cursor = z.string().transform((text, context): Position => {
  const [, time, id] = CURSOR.exec(text) ?? []
  if (time === undefined || id === undefined) {
    context.addIssue('must be a nextCursor of an earlier page')
    return z.NEVER
  }
  return { createdAt: new Date(Number.parseInt(time, 36)), id: new ObjectId(id) }
})

/** Which page of a list that is followed by its cursor. */
export const CursorQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: Cursor.optional(),
})

/** A page of such a list as it leaves the API; the last one has no cursor. */
export function cursorPage<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}

/** A position as a client sends it back. */
export function cursorOf({ createdAt, id }: Position): string {
  return `${createdAt.getTime().toString(36)}.${id}`
}

/**
 * What comes after a position, in the order of `newestFirst`: right however many documents arrive meanwhile.
 * The bound on `createdAt` alone is implied by the rest; it is what lets an index start at the position.
 */
export function after<T extends Document>({ createdAt, id }: Position): Filter<T> {
  const later = [{ createdAt: { $lt: createdAt } }, { _id: { $lt: id } }]
  return { createdAt: { $lte: createdAt }, $or: later } as unknown as Filter<T>
}

/** Cuts a result that was fetched with one document too many into a page and the cursor of the next. */
export function page<T extends { createdAt: Date }>(
  fetched: WithId<T>[],
  limit: number,
): { items: WithId<T>[]; nextCursor: string | null } {
  const items = fetched.slice(0, limit)
  const last = items.at(-1)
  const more = fetched.length > limit && last !== undefined
  return { items, nextCursor: more ? cursorOf({ createdAt: last.createdAt, id: last._id }) : null }
}

/**
 * As `page`, with the documents as they are shown. It ends early where they are more than an answer can hold, and the
 * rest is on the next page: only for lists that clients follow by cursor.
 */
export function sizedPage<T extends { createdAt: Date }, S extends object>(
  fetched: WithId<T>[],
  limit: number,
  shown: (document: WithId<T>) => S,
): { items: S[]; nextCursor: string | null } {
  const items = fetched.slice(0, limit).map(shown)
  const count = countWithinPage(items)
  return { items: items.slice(0, count), nextCursor: page(fetched, count).nextCursor }
}
