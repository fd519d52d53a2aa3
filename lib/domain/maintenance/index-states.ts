import { MongoServerError } from 'mongodb'
import { database } from '../../db/client.js'
import { type ComparedIndex, compareIndexes } from '../../db/index-drift.js'
import { type AnyCollection, allCollections } from '../registry.js'

/** MongoDB's code for a collection that is not there. */
const NAMESPACE_NOT_FOUND = 26

/** A declared collection as the database has it. */
export interface CollectionState {
  collection: AnyCollection
  exists: boolean
  indexes: ComparedIndex[]
}

/**
 * Compares every declared collection with the database. Reads only.
 *
 * @throws what the driver says while the database is away.
 */
export async function readCollectionStates(): Promise<CollectionState[]> {
  const states: CollectionState[] = []
  for (const collection of allCollections) states.push(await readCollectionState(collection))
  return states
}

async function readCollectionState(collection: AnyCollection): Promise<CollectionState> {
  const db = await database()
  const actual = await db
    .collection(collection.name)
    .indexes()
    .catch(error => {
      if (error instanceof MongoServerError && error.code === NAMESPACE_NOT_FOUND) return undefined
      throw error
    })
  return {
    collection,
    exists: actual !== undefined,
    indexes: compareIndexes(collection.indexes, actual ?? []),
  }
}
