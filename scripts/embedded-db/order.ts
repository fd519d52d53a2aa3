import { Double, Int32, Long, ObjectId } from 'mongodb'
import { encode } from './codec.js'
import { unsupported } from './errors.js'
import {
  type Doc,
  fieldsOf,
  isDoc,
  isNumeric,
  type Maybe,
  type Numeric,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

/**
 * MongoDB's order of types (https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/), of those that
 * Leadline compares. Missing stands before null, which is also where an index keeps the key of an empty array.
 */
export const RANK = {
  missing: 0x10,
  null: 0x18,
  number: 0x20,
  string: 0x28,
  object: 0x30,
  array: 0x38,
  objectId: 0x48,
  bool: 0x50,
  date: 0x58,
} as const

/** The place of a value's type in the order; numbers of all types share one. Throws for types that are only stored. */
export function rank(value: Maybe): number {
  if (typeof value === 'string') return RANK.string
  if (value === undefined) return RANK.missing
  if (value === null) return RANK.null
  if (typeof value === 'boolean') return RANK.bool
  if (Array.isArray(value)) return RANK.array
  if (isDoc(value)) return RANK.object
  if (value instanceof ObjectId) return RANK.objectId
  if (value instanceof Date) return RANK.date
  if (isComparable(value)) return RANK.number
  throw unsupported(`The ${typeOf(value)} ${value} in a comparison, a sort or an index`)
}

function isSmall(value: Maybe): value is Int32 | Double {
  return value instanceof Int32 || value instanceof Double
}

/** A long beyond 2^53 would be taken for its neighbours, as all numbers are compared as doubles. */
function isComparable(value: Value): value is Int32 | Double | Long {
  if (isSmall(value)) return true
  return isNumeric(value) && value instanceof Long && Number.isSafeInteger(value.toNumber())
}

/**
 * A string of one-byte characters whose order by `<` is MongoDB's order of the values, and which is equal where
 * MongoDB takes them to be equal. No key is the beginning of another, so keys can be strung together.
 */
export function orderKey(value: Maybe): string {
  const lead = String.fromCharCode(rank(value))
  if (typeof value === 'string') return lead + textKey(value)
  if (value === undefined || value === null) return lead
  if (typeof value === 'boolean') return lead + (value ? '\x01' : '\0')
  if (Array.isArray(value)) return `${lead}${value.map(orderKey).join('')}\0`
  if (isDoc(value)) return lead + documentKey(value)
  if (value instanceof ObjectId) return lead + value.toHexString()
  if (value instanceof Date) return lead + doubleKey(value.getTime())
  return lead + doubleKey(toNumber(value as Numeric))
}

/** Negative, zero or positive as MongoDB orders the two; numbers compare across their types. */
export function compare(left: Maybe, right: Maybe): number {
  if (left === right) return 0
  if (isSmall(left) && isSmall(right)) {
    const byValue = left.value - right.value
    if (!Number.isNaN(byValue)) return byValue
  }
  const difference = rank(left) - rank(right)
  if (difference !== 0) return difference
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime()
  const [a, b] = [orderKey(left), orderKey(right)]
  return a < b ? -1 : a > b ? 1 : 0
}

export function equal(left: Maybe, right: Maybe): boolean {
  return compare(left, right) === 0
}

/** The least (-1) or greatest (1) of the values that are not null or missing; null if there is none. */
export function extreme(values: Iterable<Maybe>, sign: 1 | -1): Value {
  let found: Value = null
  for (const value of values) {
    if (value !== undefined && value !== null && (found === null || compare(value, found) * sign > 0))
      found = value
  }
  return found
}

/** Whether two values are the same down to their BSON types, which is when an update changes nothing. */
export function identical(left: Value, right: Maybe): boolean {
  if (left === right) return true
  return right !== undefined && Buffer.compare(encode({ value: left }), encode({ value: right })) === 0
}

/** The key as it stands in a descending place of a compound key. */
export function invert(key: string): string {
  let inverted = ''
  for (let at = 0; at < key.length; at++) inverted += String.fromCharCode(0xff - key.charCodeAt(at))
  return inverted
}

function textKey(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 2 || unit > 0x7f) return `${escaped(Buffer.from(text, 'utf8').toString('latin1'))}\0`
  }
  return `${text}\0`
}

/** Keeps NUL, which ends a text, out of the text without changing the order. */
function escaped(bytes: string): string {
  return bytes.replaceAll('\x01', '\x01\x02').replaceAll('\0', '\x01\x01')
}

function documentKey(document: Doc): string {
  let key = ''
  for (const [name, value] of fieldsOf(document)) {
    const part = orderKey(value)
    key += part.charAt(0) + textKey(name) + part
  }
  return `${key}\0`
}

function uint32Key(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

const scratch = new DataView(new ArrayBuffer(8))

/** A double whose order as bytes is that of the numbers; not a number comes first. */
function doubleKey(value: number): string {
  if (Number.isNaN(value)) return '\0\0\0\0\0\0\0\0'
  scratch.setFloat64(0, value === 0 ? 0 : value)
  const [high, low] = [scratch.getUint32(0), scratch.getUint32(4)]
  return high & 0x80000000
    ? uint32Key(~high >>> 0) + uint32Key(~low >>> 0)
    : uint32Key((high | 0x80000000) >>> 0) + uint32Key(low)
}
