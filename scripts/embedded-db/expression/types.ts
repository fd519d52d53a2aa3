import { Decimal128, Double, Int32, Long, ObjectId } from 'mongodb'
import { CommandError, unsupported } from '../errors.js'
import {
  dateAt,
  isNumeric,
  isTruthy,
  type Maybe,
  type TypeName,
  toNumber,
  typeOf,
  type Value,
} from '../values.js'
import type { Named, Positional } from './expression.js'

type Convert = (value: Value) => Value

export const TYPES: Readonly<Record<string, Positional>> = {
  $type: { arity: [1, 1], run: ([value]) => (value === undefined ? 'missing' : typeOf(value)) },
  $isNumber: { arity: [1, 1], run: ([value]) => isNumeric(value) },
  $toString: converting(toText),
  $toInt: converting(value => toWhole(value, 'int')),
  $toLong: converting(value => toWhole(value, 'long')),
  $toDouble: converting(toDouble),
  $toBool: converting(value => isTruthy(value)),
  $toDate: converting(toDate),
  $toObjectId: converting(toObjectId),
}

const CONVERSIONS: Readonly<Record<string, Convert>> = {
  string: toText,
  int: value => toWhole(value, 'int'),
  long: value => toWhole(value, 'long'),
  double: toDouble,
  bool: value => isTruthy(value),
  date: toDate,
  objectId: toObjectId,
}

export const TYPES_NAMED: Readonly<Record<string, Named>> = {
  $convert: {
    required: ['input', 'to'],
    optional: ['onError', 'onNull'],
    run: ({ input, to, onError, onNull }) => {
      if (input === undefined || input === null) return onNull === undefined ? null : onNull
      const convert = typeof to === 'string' ? CONVERSIONS[to] : undefined
      if (!convert) throw unsupported(`$convert to ${String(to)}`)
      try {
        return convert(input)
      } catch (error) {
        if (onError !== undefined && error instanceof CommandError) return onError
        throw error
      }
    },
  },
}

function converting(convert: Convert): Positional {
  return {
    arity: [1, 1],
    run: ([value]) => (value === undefined || value === null ? null : convert(value)),
  }
}

function failure(value: Value, to: TypeName, why = 'no conversion is defined'): CommandError {
  return new CommandError(
    'ConversionFailure',
    `Failed to convert ${typeOf(value)} to ${to} in $convert with no onError value: ${why}`,
  )
}

function toText(value: Value): Value {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof ObjectId) return value.toHexString()
  if (isNumeric(value)) return value.toString()
  throw failure(value, 'string')
}

function toWhole(value: Value, to: 'int' | 'long'): Value {
  if (typeof value === 'boolean')
    return to === 'int' ? new Int32(value ? 1 : 0) : Long.fromNumber(value ? 1 : 0)
  if (value instanceof Date && to === 'long') return Long.fromNumber(value.getTime())
  let whole: bigint
  if (typeof value === 'string' && /^[+-]?\d+$/.test(value)) whole = BigInt(value.replace('+', ''))
  else if (value instanceof Long) whole = value.toBigInt()
  else if (isNumeric(value) && Number.isFinite(toNumber(value))) whole = BigInt(Math.trunc(toNumber(value)))
  else throw failure(value, to)
  const limit = to === 'int' ? 2n ** 31n : 2n ** 63n
  if (whole < -limit || whole >= limit) throw failure(value, to, 'it would overflow')
  return to === 'int' ? new Int32(Number(whole)) : Long.fromBigInt(whole)
}

function toDouble(value: Value): Value {
  if (typeof value === 'boolean') return new Double(value ? 1 : 0)
  if (value instanceof Date) return new Double(value.getTime())
  if (value instanceof Decimal128) throw unsupported('Decimal128 conversion')
  if (isNumeric(value)) return new Double(toNumber(value))
  if (typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) {
    return new Double(Number(value))
  }
  throw failure(value, 'double')
}

function toDate(value: Value): Value {
  if (value instanceof Date) return value
  if (value instanceof ObjectId) return value.getTimestamp()
  if (isNumeric(value) && !(value instanceof Int32)) return dateAt(Math.trunc(toNumber(value)))
  if (typeof value === 'string') {
    const time = parseDate(value)
    if (time !== undefined) return new Date(time)
  }
  throw failure(value, 'date')
}

/** Milliseconds of an ISO 8601 date, UTC where it names no zone; undefined for any other text. */
export function parseDate(value: string): number | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i.exec(
    value,
  )
  if (!parts) return undefined
  const zone = (parts[3] ?? 'Z').replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')
  const time = Date.parse(`${parts[1]}T${parts[2] ?? '00:00'}${zone}`)
  return Number.isNaN(time) ? undefined : time
}

function toObjectId(value: Value): Value {
  if (value instanceof ObjectId) return value
  if (typeof value === 'string' && /^[0-9a-f]{24}$/i.test(value)) return new ObjectId(value)
  throw failure(value, 'objectId')
}

/** Whether a value can be read as a date by the date operators, which take ids and timestamps too. */
export function asDate(value: Maybe): Date | undefined {
  if (value instanceof Date) return value
  return value instanceof ObjectId ? value.getTimestamp() : undefined
}
