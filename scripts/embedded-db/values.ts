import {
  type Binary,
  type BSONRegExp,
  type BSONSymbol,
  type Code,
  Decimal128,
  Double,
  Int32,
  Long,
  type MaxKey,
  type MinKey,
  type ObjectId,
  Timestamp,
} from 'mongodb'

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

export function isDoc(value: unknown): value is Doc {
  if (typeof value !== 'object' || value === null) return false
  return Object.getPrototypeOf(value) === Object.prototype || value instanceof Map
}

export function isNumeric(value: Maybe): value is Numeric {
  if (value instanceof Int32 || value instanceof Double || value instanceof Decimal128) return true
  return value instanceof Long && !(value instanceof Timestamp)
}

export function isNaNValue(value: Maybe): boolean {
  return isNumeric(value) && Number.isNaN(toNumber(value))
}

/** What a value is called in an error. */
export function typeOf(value: Maybe): string {
  if (value === undefined) return 'missing value'
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return 'date'
  return isDoc(value) ? 'document' : value._bsontype
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
