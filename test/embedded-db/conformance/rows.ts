import type { Collection, Db, Document, UpdateFilter } from 'mongodb'

/** A document of the suite: any fields. Cases with other `_id`s pass their documents and filters unchecked. */
export interface Row extends Document {
  _id: number | string
}

/** The collection that a case uses. */
export function rows(db: Db): Collection<Row> {
  return db.collection<Row>('rows')
}

/** Fills the collection; a document without an `_id` gets its position as one, counted from 1. */
export async function filled(db: Db, documents: Document[]): Promise<Collection<Row>> {
  const collection = rows(db)
  if (documents.length > 0) {
    await collection.insertMany(documents.map((document, index) => ({ _id: index + 1, ...document })))
  }
  return collection
}

/** The `_id`s of some documents. */
export function ids(documents: Document[]): unknown[] {
  return documents.map(document => document._id)
}

/** An update that the driver's types refuse for fields they know nothing of. */
export function unchecked(update: Document): UpdateFilter<Row> {
  return update as UpdateFilter<Row>
}
