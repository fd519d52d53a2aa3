import { BSONRegExp } from 'mongodb'
import { CommandError } from './errors.js'
import { isOperators } from './predicate.js'
import { changed } from './update-path.js'
import { type Doc, field, fieldsOf, type Value } from './values.js'

/**
 * The document an upsert starts from: the fields that its filter asks to be equal, only `_id` for a replacement.
 * Throws NotSingleValueField (54) where the filter names one twice.
 */
export function documentFromFilter(filter: Doc, onlyId: boolean): Doc {
  const found = new Map<string, Value>()
  for (const [path, value] of equalitiesOf(filter)) {
    if (onlyId && path !== '_id') continue
    for (const other of found.keys()) {
      if (path === other || path.startsWith(`${other}.`) || other.startsWith(`${path}.`)) {
        const reason = `cannot infer query fields to set, path '${path}' is matched twice`
        throw new CommandError('NotSingleValueField', reason)
      }
    }
    found.set(path, value)
  }
  let document: Doc = {}
  for (const [path, value] of found) {
    document = changed(document, { parts: path.split('.'), apply: () => value, creates: true })
  }
  return document
}

function* equalitiesOf(filter: Doc): Generator<[path: string, value: Value]> {
  for (const [path, condition] of fieldsOf(filter)) {
    if (path === '$and' || (path === '$or' && Array.isArray(condition) && condition.length === 1)) {
      for (const part of condition as Doc[]) yield* equalitiesOf(part)
    } else if (!path.startsWith('$')) {
      for (const value of valuesOf(condition)) yield [path, value]
    }
  }
}

/** What a condition asks a field to be equal to; more than one with `$all`. */
function valuesOf(condition: Value): Value[] {
  if (!isOperators(condition)) return condition instanceof BSONRegExp ? [] : [condition]
  const [exact, one, all] = [field(condition, '$eq'), field(condition, '$in'), field(condition, '$all')]
  const listed = [
    ...(Array.isArray(one) && one.length === 1 ? one : []),
    ...(Array.isArray(all) ? all : []),
  ].filter(value => !(value instanceof BSONRegExp) && !isOperators(value))
  return exact === undefined ? listed : [exact, ...listed]
}
