import type { Db, Document } from 'mongodb'

/** A collection that is there while a restore is not finished; no backup holds it. */
export const UNFINISHED = 'unfinishedrestores'

export interface ListedCollection {
  name: string
  /** `view` and `timeseries` are no collections of their own. */
  type?: string
  /** As `create` takes them. */
  options?: Document
}

/** The collections of a database by their names, without the server's own and `UNFINISHED`. */
export async function listCollections(db: Db): Promise<ListedCollection[]> {
  // Numbers keep their BSON types: some options are refused as doubles.
  const listed: ListedCollection[] = await db.listCollections({}, { promoteValues: false }).toArray()
  return listed
    .filter(({ name }) => !name.startsWith('system.') && name !== UNFINISHED)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
