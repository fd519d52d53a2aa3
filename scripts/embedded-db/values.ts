import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  type MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb'
import { CommandError } from './errors.js'

export type Numeric = Int32 | Double | Long | Decimal128

/** A BSON value. Numbers keep their wrapper, so that a value written back has the type it was read with. */
export type Value =
  | null
  | boolean
  | string
  | Numeric
  | Date
  | ObjectId
  | Binary
  | Timestamp
  | BSONRegExp
  | BSONSymbol
  | Code
  | MinKey
  | MaxKey
  | Value[]
  | Doc

/**
 * A document. Immutable once stored: an update builds a new one that shares what did not change. One with a field name
 * that an object cannot hold in its place (see `isAwkward`) is a Map, so that the order of fields is always kept.
 */
export type Doc = Plain | ReadonlyMap<string, Value>

interface Plain {
  [field: string]: Value
}

/** A value that may be missing, which MongoDB tells apart from null. */
export type Maybe = Value | undefined

/** Type names as `$type` spells them, with their BSON numbers. */
export const TYPE_NUMBERS = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  minKey: -1,
  maxKey: 127,
} as const

export type TypeName = keyof typeof TYPE_NUMBERS

export function isDoc(value: unknown): value is Doc {
  if (typeof value !== 'object' || value === null) return false
  return Object.getPrototypeOf(value) === Object.prototype || value instanceof Map
}

export function isNumeric(value: Maybe): value is Numeric {
  if (value instanceof Int32 || value instanceof Double || value instanceof Decimal128) return true
  return value instanceof Long && !(value instanceof Timestamp)
}

/** The BSON type of a value; `undefined` stands for missing. */
export function typeOf(value: Maybe): TypeName {
  if (value === undefined) return 'undefined'
  if (value === null) return 'null'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  if (Array.isArray(value)) return 'array'
  if (isDoc(value)) return 'object'
  if (value instanceof Int32) return 'int'
  if (value instanceof Double) return 'double'
  if (value instanceof Date) return 'date'
  if (value instanceof ObjectId) return 'objectId'
  if (value instanceof Long) return value instanceof Timestamp ? 'timestamp' : 'long'
  if (value instanceof Decimal128) return 'decimal'
  if (value instanceof Binary) return 'binData'
  if (value instanceof BSONRegExp) return 'regex'
  if (value instanceof BSONSymbol) return 'symbol'
  if (value instanceof Code) return value.scope ? 'javascriptWithScope' : 'javascript'
  return value instanceof MinKey ? 'minKey' : 'maxKey'
}

/** An own field. Plain access would find `constructor` and the like on the prototype. */
export function field(document: Doc, name: string): Maybe {
  if (document instanceof Map) return document.get(name)
  return Object.hasOwn(document, name) ? (document as Plain)[name] : undefined
}

/** The `_id` of a stored document, which always has one. */
export function idOf(document: Doc): Value {
  return field(document, '_id') as Value
}

/** The field names in their order. */
export function namesOf(document: Doc): string[] {
  return document instanceof Map ? [...document.keys()] : Object.keys(document)
}

/** The fields in their order. */
export function fieldsOf(document: Doc): [name: string, value: Value][] {
  return document instanceof Map ? [...document.entries()] : Object.entries(document as Plain)
}

/** The document of these fields in this order; of two with one name, the later value at the earlier place. */
export function docOf(fields: readonly (readonly [string, Value])[]): Doc {
  return fields.some(([name]) => isAwkward(name)) ? new Map(fields) : Object.fromEntries(fields)
}

/** The same as an object, for documents of known names whose order does not matter. */
export function plain(document: Doc): Plain {
  return document instanceof Map ? Object.fromEntries(document) : (document as Plain)
}

/** A copy with one field set, at its old place if it was there; with `undefined`, without that field. */
export function withField(document: Doc, name: string, value: Maybe): Doc {
  if (value === undefined) return docOf(fieldsOf(document).filter(([other]) => other !== name))
  if (document instanceof Map || isAwkward(name)) return docOf([...fieldsOf(document), [name, value]])
  return { ...document, [name]: value }
}

/** Names that an object reorders (digits), takes for its prototype, or that the BSON library takes for a type. */
export function isAwkward(name: string): boolean {
  const first = name.charCodeAt(0)
  if (first === 0x5f) return name === '__proto__' || name === '_bsontype'
  return first >= 0x30 && first <= 0x39 && /^\d{1,10}$/.test(name)
}

/** The index that a path component names in an array (`'0'`, `'12'`), or undefined. */
export function arrayIndex(component: string): number | undefined {
  return /^(?:0|[1-9]\d{0,8})$/.test(component) ? Number(component) : undefined
}

/** Truth as MongoDB's flags and expressions see it: not false, null, missing or zero. */
export function isTruthy(value: Maybe): boolean {
  if (value === undefined || value === null || value === false) return false
  return !isNumeric(value) || toNumber(value) !== 0
}

/** The nearest JavaScript number. */
export function toNumber(value: Numeric): number {
  if (value instanceof Int32 || value instanceof Double) return value.value
  return value instanceof Long ? value.toNumber() : Number(value.toString())
}

/** The date of a computed time in milliseconds. Throws where JavaScript has no such date. */
export function dateAt(time: number): Date {
  const date = new Date(Math.round(time))
  if (!Number.isNaN(date.getTime())) return date
  throw new CommandError('Overflow', `${time} milliseconds are no date that the embedded database can hold`)
}

/** A whole number as the smallest BSON type that a MongoDB server would choose: int, else long, else double. */
export function fromInteger(value: number): Numeric {
  if (value >= -2147483648 && value <= 2147483647) return new Int32(value)
  return Number.isSafeInteger(value) ? Long.fromNumber(value) : new Double(value)
}
