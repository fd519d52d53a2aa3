import { BSON, type Document } from 'mongodb'
import { allCollections } from '../../lib/domain/registry.js'
import { testDatabase } from '../support/database.js'

/** Every document of the product, by its collection and id. */
export type Snapshot = ReadonlyMap<string, { collection: string; document: Document }>

/** Reads everything that is stored. */
export async function takeSnapshot(): Promise<Snapshot> {
  const { db } = testDatabase()
  const read = await Promise.all(
    allCollections.map(async ({ name }) => {
      const documents = await db.collection(name).find().toArray()
      return documents.map(
        document => [`${name} ${said(document._id)}`, { collection: name, document }] as const,
      )
    }),
  )
  return new Map(read.flat())
}

/** What became of these documents: `leads.status`, or `leads` for one that is gone. */
export function changesOf(keys: ReadonlySet<string>, before: Snapshot, after: Snapshot): string[] {
  const changes = new Set<string>()
  for (const [key, { collection, document }] of before) {
    if (!keys.has(key)) continue
    const now = after.get(key)?.document
    if (!now) changes.add(collection)
    else if (said(document) !== said(now))
      for (const field of new Set([...Object.keys(document), ...Object.keys(now)]))
        if (said(document[field]) !== said(now[field])) changes.add(`${collection}.${field}`)
  }
  return [...changes]
}

/** The collections that got documents which name any of this. */
export function additionsNaming(names: readonly string[], before: Snapshot, after: Snapshot): string[] {
  const added = [...after].filter(([key, { document }]) => {
    if (before.has(key)) return false
    const text = said(document)
    return names.some(name => text.includes(name))
  })
  return [...new Set(added.map(([, { collection }]) => collection))]
}

/** A value with its types: the same text for the same value, byte for byte. */
export function said(value: unknown): string {
  return BSON.EJSON.stringify({ value }, { relaxed: false })
}
