import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  type Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb'
import { type Doc, fieldsOf, isDoc, isNumeric, type Maybe, type Numeric, toNumber } from './values.js'

/**
 * MongoDB's order of types (https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/). Missing
 * stands before null, which is also where an index keeps the key of an empty array.
 */
export const RANK = {
  minKey: 0x08,
  missing: 0x10,
  null: 0x18,
  number: 0x20,
  string: 0x28,
  object: 0x30,
  array: 0x38,
  binary: 0x40,
  objectId: 0x48,
  bool: 0x50,
  date: 0x58,
  timestamp: 0x60,
  regex: 0x68,
  code: 0x70,
  codeWithScope: 0x78,
  maxKey: 0xf0,
} as const

/** The place of a value's type in the order; numbers of all types share one, as do strings and symbols. */
export function rank(value: Maybe): number {
  if (typeof value === 'string') return RANK.string
  if (value === undefined) return RANK.missing
  if (value === null) return RANK.null
  if (typeof value === 'boolean') return RANK.bool
  if (Array.isArray(value)) return RANK.array
  if (isDoc(value)) return RANK.object
  if (value instanceof Timestamp) return RANK.timestamp
  if (isNumeric(value)) return RANK.number
  if (value instanceof Date) return RANK.date
  if (value instanceof ObjectId) return RANK.objectId
  if (value instanceof Binary) return RANK.binary
  if (value instanceof BSONRegExp) return RANK.regex
  if (value instanceof BSONSymbol) return RANK.string
  if (value instanceof Code) return value.scope ? RANK.codeWithScope : RANK.code
  return value instanceof MinKey ? RANK.minKey : RANK.maxKey
}

/**
 * A string of one-byte characters whose order by `<` is MongoDB's order of the values, and which is equal where
 * MongoDB calls the values equal. No key is the beginning of another, so keys can be strung together.
 */
export function orderKey(value: Maybe): string {
  const place = rank(value)
  const lead = String.fromCharCode(place)
  if (typeof value === 'string') return lead + textKey(value)
  if (value === undefined || value === null || value instanceof MinKey || value instanceof MaxKey) return lead
  if (typeof value === 'boolean') return lead + (value ? '\x01' : '\0')
  if (Array.isArray(value)) return `${lead}${value.map(orderKey).join('')}\0`
  if (isDoc(value)) return lead + documentKey(value)
  if (value instanceof ObjectId) return lead + value.toHexString()
  if (value instanceof Date) return lead + dateKey(value)
  if (value instanceof Timestamp) return lead + uint32Key(value.high >>> 0) + uint32Key(value.low >>> 0)
  if (isNumeric(value)) return lead + numberKey(value)
  if (value instanceof Binary) return lead + binaryKey(value)
  if (value instanceof BSONRegExp) return lead + textKey(value.pattern) + textKey(value.options)
  if (value instanceof BSONSymbol) return lead + textKey(value.value)
  return lead + textKey(String(value.code)) + (value.scope ? documentKey(value.scope as Doc) : '')
}

/** Negative, zero or positive as MongoDB orders the two; numbers compare across their types. */
export function compare(left: Maybe, right: Maybe): number {
  if (left === right) return 0
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  const difference = rank(left) - rank(right)
  if (difference !== 0) return difference
  if (left instanceof Date && right instanceof Date) return left.getTime() - right.getTime()
  if (isSmall(left) && isSmall(right)) {
    const byValue = left.value - right.value
    if (!Number.isNaN(byValue)) return byValue
  }
  const [a, b] = [orderKey(left), orderKey(right)]
  return a < b ? -1 : a > b ? 1 : 0
}

export function equal(left: Maybe, right: Maybe): boolean {
  return compare(left, right) === 0
}

/** Whether two values are the same down to their BSON types, which is when an update changes nothing. */
export function identical(left: Maybe, right: Maybe): boolean {
  if (left === right) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((value, index) => identical(value, right[index]))
  }
  if (isDoc(left) && isDoc(right)) {
    const [fields, others] = [fieldsOf(left), fieldsOf(right)]
    return (
      fields.length === others.length &&
      fields.every(([name, value], at) => name === others[at]?.[0] && identical(value, others[at]?.[1]))
    )
  }
  if (isNumeric(left) && isNumeric(right)) {
    return left._bsontype === right._bsontype && left.toString() === right.toString() && sameZero(left, right)
  }
  return equal(left, right)
}

function sameZero(left: Numeric, right: Numeric): boolean {
  return !(left instanceof Double && right instanceof Double) || Object.is(left.value, right.value)
}

/** The key as it stands in a descending place of a compound key. */
export function invert(key: string): string {
  let inverted = ''
  for (let at = 0; at < key.length; at++) inverted += String.fromCharCode(0xff - key.charCodeAt(at))
  return inverted
}

function isSmall(value: Maybe): value is Int32 | Double {
  return value instanceof Int32 || value instanceof Double
}

/** MongoDB compares UTF-8 bytes; UTF-16 units differ from that only where surrogates meet U+E000 and above. */
function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)]
    if (a === b) continue
    const surrogates = Number(a >= 0xd800 && a < 0xe000) - Number(b >= 0xd800 && b < 0xe000)
    return a >= 0xd800 && b >= 0xd800 && surrogates !== 0 ? surrogates : a - b
  }
  return left.length - right.length
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

function binaryKey(value: Binary): string {
  const bytes = value.value()
  return uint32Key(bytes.length) + String.fromCharCode(value.sub_type) + Buffer.from(bytes).toString('latin1')
}

function uint32Key(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

function dateKey(value: Date): string {
  const time = value.getTime()
  const high = Math.floor(time / 2 ** 32)
  return uint32Key((high ^ 0x80000000) >>> 0) + uint32Key((time - high * 2 ** 32) >>> 0)
}

const scratch = new DataView(new ArrayBuffer(8))

/** The nearest double in an order-preserving form, then how far the exact value is from it. */
function numberKey(value: Numeric): string {
  if (value instanceof Int32 || value instanceof Double) return `${doubleKey(value.value)}\x80`
  if (value instanceof Long) {
    const nearest = value.toNumber()
    const rest = Number.isSafeInteger(nearest) ? 0n : value.toBigInt() - BigInt(nearest)
    return doubleKey(nearest) + restKey(rest, 0)
  }
  return decimalKey(value)
}

function doubleKey(value: number): string {
  if (Number.isNaN(value)) return '\0\0\0\0\0\0\0\0'
  scratch.setFloat64(0, value === 0 ? 0 : value)
  const [high, low] = [scratch.getUint32(0), scratch.getUint32(4)]
  return high & 0x80000000
    ? uint32Key(~high >>> 0) + uint32Key(~low >>> 0)
    : uint32Key((high | 0x80000000) >>> 0) + uint32Key(low)
}

function decimalKey(value: Decimal128): string {
  const nearest = toNumber(value)
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/.exec(value.toString())
  if (!parts) return `${doubleKey(nearest)}\x80`
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  const coefficient = BigInt(`${sign}${whole}${fraction}`)
  const power = Number(exponent) - fraction.length
  const bounded = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, nearest))
  const { mantissa, shift } = binaryParts(bounded)
  const scale = Math.max(0, -power, -shift)
  const exact = coefficient * 10n ** BigInt(power + scale)
  const near = mantissa * 5n ** BigInt(scale) * 2n ** BigInt(scale + shift)
  return doubleKey(bounded) + restKey(exact - near, scale)
}

/** A finite double as `mantissa · 2^shift`, exactly. */
function binaryParts(value: number): { mantissa: bigint; shift: number } {
  scratch.setFloat64(0, value)
  const bits = scratch.getBigUint64(0)
  const exponent = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  const magnitude = exponent === 0 ? fraction : fraction | 0x10000000000000n
  return { mantissa: value < 0 ? -magnitude : magnitude, shift: Math.max(exponent, 1) - 1075 }
}

/** `rest / 10^scale` in an order-preserving form: sign, exponent of the first digit, digits. */
function restKey(rest: bigint, scale: number): string {
  if (rest === 0n) return '\x80'
  const digits = (rest < 0n ? -rest : rest).toString()
  const exponent = digits.length - scale + 0x8000
  const size = `${String.fromCharCode(exponent >>> 8, exponent & 0xff)}${digits.replace(/0+$/, '')}\0`
  return rest < 0n ? `\x7f${invert(size)}` : `\x81${size}`
}
