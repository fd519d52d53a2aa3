import {
  Binary,
  BSON,
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

/** A document. Immutable once stored: an update builds a new one that shares what did not change. */
export interface Doc {
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
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
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
  return Object.hasOwn(document, name) ? document[name] : undefined
}

/** Sets an own field in place, `__proto__` included. Only for documents that nobody else holds yet. */
export function setField(document: Doc, name: string, value: Value): void {
  if (name === '__proto__') {
    Object.defineProperty(document, name, { value, writable: true, enumerable: true, configurable: true })
  } else document[name] = value
}

/** A copy with one field set, at its old place if it was there; with `undefined`, without that field. */
export function withField(document: Doc, name: string, value: Maybe): Doc {
  if (value !== undefined) {
    const copy = { ...document }
    setField(copy, name, value)
    return copy
  }
  const copy: Doc = {}
  for (const key of Object.keys(document)) {
    if (key !== name) setField(copy, key, document[key] as Value)
  }
  return copy
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

/** A whole number as the smallest BSON type that a MongoDB server would choose: int, else long, else double. */
export function fromInteger(value: number): Numeric {
  if (value >= -2147483648 && value <= 2147483647) return new Int32(value)
  return Number.isSafeInteger(value) ? Long.fromNumber(value) : new Double(value)
}

const AS_SENT = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const

/** Reads one BSON document, every value keeping the type it was sent with. */
export function decode(bytes: Uint8Array): Doc {
  return BSON.deserialize(bytes, AS_SENT) as Doc
}

export function encode(document: object): Uint8Array {
  return BSON.serialize(document, { ignoreUndefined: false })
}
