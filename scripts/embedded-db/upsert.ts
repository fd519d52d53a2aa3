import { BSONRegExp } from 'mongodb'
import { CommandError } from './errors.js'
import { isOperators } from './predicate.js'
import { changed } from './update-path.js'
import { type Doc, field, fieldsOf, type Maybe, type Value } from './values.js'

/**
 * The document an upsert starts from: the fields that its filter asks to be equal, only `_id` for a replacement.
 * Throws NotSingleValueField (54) where the filter names one twice.
 */
export function documentFromFilter(filter: Doc, onlyId: boolean): Doc {
  const found = new Map<string, Value>()
  collectEqualities(filter, found)
  let document: Doc = {}
  for (const [path, value] of found) {
    if (onlyId && path !== '_id') continue
    document = changed(document, { parts: path.split('.'), apply: () => value, creates: true })
  }
  return document
}

function collectEqualities(filter: Doc, found: Map<string, Value>): void {
  for (const [path, condition] of fieldsOf(filter)) {
    if (path === '$and' || (path === '$or' && Array.isArray(condition) && condition.length === 1)) {
      for (const part of condition as Doc[]) collectEqualities(part, found)
    } else if (!path.startsWith('$')) {
      const value = equalityOf(condition)
      if (value === undefined) continue
      for (const other of found.keys()) {
        if (path === other || path.startsWith(`${other}.`) || other.startsWith(`${path}.`)) {
          const reason = `cannot infer query fields to set, path '${path}' is matched twice`
          throw new CommandError('NotSingleValueField', reason)
        }
      }
      found.set(path, value)
    }
  }
}

function equalityOf(condition: Value): Maybe {
  if (!isOperators(condition)) return condition instanceof BSONRegExp ? undefined : condition
  const exact = field(condition, '$eq')
  if (exact !== undefined) return exact
  for (const list of [field(condition, '$in'), field(condition, '$all')]) {
    const [only, ...others] = Array.isArray(list) ? list : []
    if (only !== undefined && others.length === 0 && !(only instanceof BSONRegExp) && !isOperators(only)) {
      return only
    }
  }
  return undefined
}
