import type { Collection } from './collection.js'
import { storable } from './documents.js'
import { Execution, type Query } from './query.js'
import type { Update } from './update.js'
import { documentFromFilter } from './upsert.js'
import type { Doc } from './values.js'

export interface Outcome {
  matched: number
  modified: number
  /** The last document matched, before and after. */
  before?: Doc
  after?: Doc
  /** The document that an upsert made. */
  upserted?: Doc
}

/**
 * Updates what a query finds, each document whole or not at all. The matches are collected first, so that a document
 * that moves in the index is not met again. Throws what the update throws; documents done before stay done.
 */
export function updateMatching(collection: Collection, query: Query, update: Update): Outcome {
  const outcome: Outcome = { matched: 0, modified: 0 }
  for (const { entry, position } of [...new Execution(collection, query).run()]) {
    const before = entry.document
    const changed = update.apply(before, { position, inserting: false })
    outcome.matched++
    outcome.before = before
    outcome.after = changed
    if (changed === before) continue
    const { document, encoded } = storable(changed)
    collection.replace(entry, document, encoded)
    outcome.after = document
    outcome.modified++
  }
  return outcome
}

/** Inserts the document that an upsert makes where nothing matched. */
export function upsert(collection: Collection, filter: Doc, update: Update): Doc {
  const base = documentFromFilter(filter, update.kind === 'replacement')
  const { document, encoded } = storable(update.apply(base, { inserting: true }))
  return collection.insert(document, encoded).document
}
