import { Int32 } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { type KeyField, readKeyField } from './index-keys.js'
import { Options } from './options.js'
import { equal } from './order.js'
import { conjuncts, type Filter, parseFilter } from './predicate.js'
import { type Doc, fieldsOf, namesOf, plain } from './values.js'

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

const OPTIONS = [
  'v',
  'key',
  'name',
  'unique',
  'sparse',
  'background',
  'partialFilterExpression',
  'expireAfterSeconds',
]
const PARTIAL_OPERATORS = ['$eq', '$gt', '$gte', '$lt', '$lte', '$exists', '$in']

/** Reads one entry of `createIndexes`. Throws CannotCreateIndex (67), and for what is missing or not covered. */
export function readIndexSpec(given: Doc): IndexSpec {
  const options = new Options('createIndexes.indexes', given, OPTIONS, ['key', 'name'])
  const [key, name] = [options.document('key') ?? {}, options.string('name') ?? '']
  if (equal(key, ID_KEY)) return readIdIndex(given)
  const { v: _v, key: _key, name: _name, background: _background, ...shown } = plain(given)
  const spec: IndexSpec = {
    name,
    key,
    fields: readKey(key),
    unique: options.flag('unique'),
    sparse: options.flag('sparse'),
    document: { v: new Int32(2), key, name, ...shown },
  }
  const filter = options.document('partialFilterExpression')
  if (filter) {
    spec.partial = readPartial(filter)
    spec.partialDocument = filter
  }
  if (filter && spec.sparse) {
    throw new CommandError('CannotCreateIndex', 'cannot mix "partialFilterExpression" and "sparse" options')
  }
  const expiry = options.count('expireAfterSeconds')
  if (expiry !== undefined) spec.expireAfterSeconds = expiry
  if (expiry !== undefined && spec.fields.length > 1) {
    throw new CommandError('CannotCreateIndex', 'TTL indexes are single-field indexes')
  }
  return spec
}

const ID_KEY: Doc = { _id: new Int32(1) }

/** The index that every collection has, under whatever name it is asked for. */
export const ID_INDEX: IndexSpec = {
  name: '_id_',
  key: ID_KEY,
  fields: readKey(ID_KEY),
  unique: true,
  sparse: false,
  document: { v: new Int32(2), key: ID_KEY, name: '_id_' },
}

function readIdIndex(given: Doc): IndexSpec {
  const strange = namesOf(given).find(option => !['v', 'key', 'name', 'background'].includes(option))
  if (strange === undefined) return ID_INDEX
  throw unsupported(`The option '${strange}' of the index on _id`)
}

/** Whether two indexes are the same thing to MongoDB, whatever their names; then there can be only one of them. */
export function sameSignature(one: IndexSpec, other: IndexSpec): boolean {
  return (
    equal(one.key, other.key) &&
    one.unique === other.unique &&
    one.sparse === other.sparse &&
    equal(one.partialDocument, other.partialDocument)
  )
}

function readKey(key: Doc): KeyField[] {
  const fields = fieldsOf(key).map(([path, value]) => readKeyField(path, value))
  if (fields.length > 0) return fields
  throw new CommandError('CannotCreateIndex', 'Index keys cannot be an empty object')
}

function readPartial(document: Doc): Filter {
  const filter = parseFilter(document)
  for (const part of conjuncts(filter)) {
    if (part.kind !== 'leaf' || !PARTIAL_OPERATORS.includes(part.operator)) {
      throw unsupported('This partialFilterExpression')
    }
  }
  return filter
}
