import { BSONRegExp } from 'mongodb'
import type { Collection } from './collection.js'
import { storable } from './documents.js'
import { CommandError } from './errors.js'
import { isOperators } from './predicate.js'
import { Execution, type Query } from './query.js'
import type { Update } from './update.js'
import { changed } from './update-path.js'
import { type Doc, field, fieldsOf, type Value } from './values.js'

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
  for (const entry of [...new Execution(collection, query).run()]) {
    const before = entry.document
    const changed = update.apply(before, false)
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
  const { document, encoded } = storable(update.apply(base, true))
  return collection.insert(document, encoded).document
}

/**
 * The document an upsert starts from: the fields that its filter asks to be equal, only `_id` for a replacement.
 * Throws NotSingleValueField (54) where the filter names one twice.
 */
function documentFromFilter(filter: Doc, onlyId: boolean): Doc {
  const paths: string[] = []
  let document: Doc = {}
  for (const [path, value] of equalitiesOf(filter)) {
    if (onlyId && path !== '_id') continue
    if (paths.some(other => `${path}.`.startsWith(`${other}.`) || other.startsWith(`${path}.`))) {
      throw new CommandError(
        'NotSingleValueField',
        `cannot infer query fields to set, path '${path}' is matched twice`,
      )
    }
    paths.push(path)
    document = changed(document, { parts: path.split('.'), apply: () => value, creates: true })
  }
  return document
}

function* equalitiesOf(filter: Doc): Generator<[path: string, value: Value]> {
  for (const [path, condition] of fieldsOf(filter)) {
    if (path === '$and' || (path === '$or' && (condition as Doc[]).length === 1)) {
      for (const part of condition as Doc[]) yield* equalitiesOf(part)
    } else if (!path.startsWith('$')) {
      for (const value of valuesOf(condition)) yield [path, value]
    }
  }
}

/** What a condition asks a field to be equal to, if it does. */
function valuesOf(condition: Value): Value[] {
  if (condition instanceof BSONRegExp) return []
  if (!isOperators(condition)) return [condition]
  const [exact, listed] = [field(condition, '$eq'), field(condition, '$in')]
  const only = Array.isArray(listed) && listed.length === 1 ? listed : []
  return exact === undefined ? only : [exact, ...only]
}
