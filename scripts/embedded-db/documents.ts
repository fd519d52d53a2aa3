import { BSONRegExp, ObjectId } from 'mongodb'
import { encode } from './codec.js'
import { CommandError } from './errors.js'
import { type Doc, docOf, field, fieldsOf, isDoc, type Maybe, namesOf, type Value } from './values.js'

/** https://www.mongodb.com/docs/manual/reference/limits/ */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
const MAX_DEPTH = 100

/** The document with `_id` as its first field, as MongoDB stores it. */
export function withIdFirst(document: Doc, id: Value): Doc {
  if (namesOf(document)[0] === '_id' && field(document, '_id') === id) return document
  return docOf([['_id', id], ...fieldsOf(document).filter(([name]) => name !== '_id')])
}

/**
 * A document ready to be stored, with its bytes: `_id` made if it is missing, and put first. Throws what MongoDB
 * throws for an unusable `_id` (53), for `$` at the start of a field (52), too deep (15) and too large (10334) ones.
 */
export function storable(document: Doc, encoded?: Uint8Array): { document: Doc; encoded: Uint8Array } {
  const own = field(document, '_id')
  const id = own === undefined ? new ObjectId() : own
  checkId(id)
  const dollar = namesOf(document).find(name => name.startsWith('$'))
  if (dollar !== undefined) {
    throw new CommandError(
      'DollarPrefixedFieldName',
      `The dollar ($) prefixed field '${dollar}' in '${dollar}' is not valid for storage.`,
    )
  }
  const ordered = withIdFirst(document, id)
  checkDepth(ordered, 1)
  const bytes = encoded && ordered === document ? encoded : encode(ordered)
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw new CommandError(
      'BSONObjectTooLarge',
      `object to insert too large. size in bytes: ${bytes.length}, max size: ${MAX_DOCUMENT_BYTES}`,
    )
  }
  return { document: ordered, encoded: bytes }
}

function checkId(id: Value): void {
  if (Array.isArray(id) || id instanceof BSONRegExp) {
    const type = Array.isArray(id) ? 'array' : 'regex'
    throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${type}`)
  }
  const dollar = isDoc(id) ? namesOf(id).find(name => name.startsWith('$')) : undefined
  if (dollar !== undefined) {
    const reason = `The dollar ($) prefixed field '${dollar}' in '_id.${dollar}' is not valid for storage.`
    throw new CommandError('DollarPrefixedFieldName', reason)
  }
}

function checkDepth(value: Maybe, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value) && !isDoc(value)) return
  if (depth > MAX_DEPTH) {
    throw new CommandError('Overflow', `Document exceeds the maximum nesting depth of ${MAX_DEPTH}`)
  }
  if (Array.isArray(value)) for (const element of value) checkDepth(element, depth + 1)
  else for (const [, inner] of fieldsOf(value)) checkDepth(inner, depth + 1)
}
