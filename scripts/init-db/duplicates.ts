import { type Collection, type Document, ObjectId } from 'mongodb'
import type { IndexDefinition } from '../../lib/db/collection.js'

/** What keeps a unique index from being built. */
export interface Duplicates {
  /** How many values more than one document has. */
  values: number
  /** Two documents with the same value, by their ids. Empty where an id may say who somebody is. */
  example: string[]
}

/** Finds documents that a unique index would not allow beside each other; undefined where there are none. */
export async function findDuplicates(
  collection: Collection,
  { key, unique, sparse, partialFilterExpression }: IndexDefinition,
): Promise<Duplicates | undefined> {
  if (!unique) return undefined
  const paths = Object.keys(key)
  const indexed: Document = sparse ? { $or: paths.map(path => ({ [path]: { $exists: true } })) } : {}
  const [found] = await collection
    .aggregate<{ values: number; one: unknown; other: unknown }>(
      [
        { $match: partialFilterExpression ?? indexed },
        // A list is indexed by each of its elements.
        ...paths.map(path => ({ $unwind: { path: `$${path}`, preserveNullAndEmptyArrays: true } })),
        { $group: { _id: paths.map(path => `$${path}`), one: { $min: '$_id' }, other: { $max: '$_id' } } },
        // The same element twice in one document is no duplicate.
        { $match: { $expr: { $ne: ['$one', '$other'] } } },
        { $group: { _id: null, values: { $sum: 1 }, one: { $first: '$one' }, other: { $first: '$other' } } },
      ],
      { allowDiskUse: true },
    )
    .toArray()
  if (!found) return undefined
  const example = [found.one, found.other].filter(id => id instanceof ObjectId).map(String)
  return { values: found.values, example }
}
