import { Int32 } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import type { KeyField } from './index-keys.js'
import { equal } from './order.js'
import { conjuncts, type Filter, parseFilter } from './predicate.js'
import {
  type Doc,
  field,
  isDoc,
  isNumeric,
  isTruthy,
  type Maybe,
  namesOf,
  plain,
  toNumber,
  type Value,
} from './values.js'

/** An index as `createIndexes` was asked for it, checked and read. */
export interface IndexSpec {
  name: string
  key: Doc
  fields: readonly KeyField[]
  unique: boolean
  sparse: boolean
  partial?: Filter
  expireAfterSeconds?: number
  /** As `listIndexes` shows it. */
  document: Doc
  /** The partial filter as it was given. */
  partialDocument?: Doc
}

const OPTIONS = new Set([
  'v',
  'key',
  'name',
  'ns',
  'unique',
  'sparse',
  'background',
  'partialFilterExpression',
  'expireAfterSeconds',
])

const PARTIAL_OPERATORS = new Set(['$eq', '$gt', '$gte', '$lt', '$lte', '$type', '$exists', '$in'])

/** Reads one entry of `createIndexes`. Throws CannotCreateIndex, InvalidOptions or NotImplemented. */
export function readIndexSpec(given: Doc): IndexSpec {
  const document = plain(given)
  const { key, name } = document
  if (!isDoc(key))
    throw new CommandError('FailedToParse', "The 'key' field is a required property of an index")
  if (typeof name !== 'string' || name === '') {
    throw new CommandError(
      'FailedToParse',
      "The 'name' field is a required property of an index specification",
    )
  }
  for (const [option, value] of Object.entries(document)) {
    if (option === 'hidden' && !isTruthy(value)) continue
    if (['collation', 'weights', 'wildcardProjection', 'hidden', 'storageEngine'].includes(option)) {
      throw unsupported(`The index option '${option}'`)
    }
    if (!OPTIONS.has(option)) {
      throw new CommandError(
        'InvalidIndexSpecificationOption',
        `The field '${option}' is not valid for an index specification`,
      )
    }
  }
  if (sameKey(key, ID_KEY)) return readIdIndex(document)
  const fields = readKey(key)
  const unique = isTruthy(document.unique)
  const sparse = isTruthy(document.sparse)
  const spec: IndexSpec = { name, key, fields, unique, sparse, document: shownSpec(document) }
  const filter = document.partialFilterExpression
  if (filter !== undefined) {
    if (sparse)
      throw new CommandError('CannotCreateIndex', 'cannot mix "partialFilterExpression" and "sparse" options')
    if (!isDoc(filter)) {
      throw new CommandError('TypeMismatch', "'partialFilterExpression' has to be a document")
    }
    spec.partial = readPartial(filter)
    spec.partialDocument = filter
  }
  const expiry = readExpiry(document.expireAfterSeconds, fields)
  if (expiry !== undefined) spec.expireAfterSeconds = expiry
  return spec
}

const ID_KEY: Doc = { _id: new Int32(1) }

/** The index that every collection has. */
export const ID_INDEX: IndexSpec = {
  name: '_id_',
  key: ID_KEY,
  fields: readKey(ID_KEY),
  unique: true,
  sparse: false,
  document: { v: new Int32(2), key: ID_KEY, name: '_id_' },
}

/** An index on `_id` is the one that is there, under whatever name it is asked for. */
function readIdIndex(document: Record<string, Value>): IndexSpec {
  for (const option of ['sparse', 'partialFilterExpression', 'expireAfterSeconds']) {
    if (document[option] === undefined) continue
    throw new CommandError(
      'InvalidIndexSpecificationOption',
      `The field '${option}' is not valid for an _id index specification`,
    )
  }
  return ID_INDEX
}

/** Whether two indexes are the same thing to MongoDB, whatever their names; then there can be only one of them. */
export function sameSignature(one: IndexSpec, other: IndexSpec): boolean {
  return (
    sameKey(one.key, other.key) &&
    one.unique === other.unique &&
    one.sparse === other.sparse &&
    equal(one.partialDocument, other.partialDocument)
  )
}

export function sameOptions(one: IndexSpec, other: IndexSpec): boolean {
  return one.expireAfterSeconds === other.expireAfterSeconds
}

export function sameKey(one: Doc, other: Doc): boolean {
  return equal(one, other)
}

function readKey(key: Doc): KeyField[] {
  const paths = namesOf(key)
  if (paths.length === 0) throw new CommandError('CannotCreateIndex', 'Index keys cannot be an empty object')
  if (paths.length > 32)
    throw new CommandError('OperationFailed', 'Index key pattern has more than 32 fields')
  return paths.map(path => {
    const value = field(key, path) as Value
    if (typeof value === 'string') throw unsupported(`A '${value}' index`)
    const direction = isNumeric(value) ? toNumber(value) : 0
    if (!direction) {
      throw new CommandError(
        'CannotCreateIndex',
        `Values in v:2 index key pattern cannot be of value ${direction}`,
      )
    }
    const parts = path.split('.')
    if (path.includes('$**')) throw unsupported('A wildcard index')
    if (parts.includes('') || parts.some(part => part.startsWith('$'))) {
      throw new CommandError('CannotCreateIndex', `Index key contains an illegal field name: ${path}`)
    }
    // A number picks an array's element or a document's field, by document: too subtle to be worth an index here.
    if (parts.some(part => /^\d+$/.test(part))) throw unsupported(`An index on the array position '${path}'`)
    return { path, parts, direction: direction < 0 ? -1 : 1 }
  })
}

function readPartial(document: Doc): Filter {
  const filter = parseFilter(document)
  for (const part of conjuncts(filter)) {
    if (part.kind !== 'leaf' || !PARTIAL_OPERATORS.has(part.operator)) {
      throw new CommandError('CannotCreateIndex', 'Expression not supported in partial index')
    }
  }
  return filter
}

function readExpiry(value: Maybe, fields: readonly KeyField[]): number | undefined {
  if (value === undefined) return undefined
  const seconds = isNumeric(value) ? toNumber(value) : Number.NaN
  if (!(seconds >= 0 && seconds <= 2147483647)) {
    throw new CommandError(
      'CannotCreateIndex',
      "TTL index 'expireAfterSeconds' must be within [0, 2147483647]",
    )
  }
  if (fields.length > 1) {
    throw new CommandError('CannotCreateIndex', 'TTL indexes are single-field indexes')
  }
  return seconds
}

function shownSpec(document: Record<string, Value>): Doc {
  const { key, name, v: _v, ns: _ns, background: _background, hidden: _hidden, ...options } = document
  return { v: new Int32(2), key, name, ...options } as Doc
}
