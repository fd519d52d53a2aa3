import { Int32, ObjectId } from 'mongodb'
import { CommandError } from '../errors.js'
import { dateAt, isNumeric, type Maybe, toNumber, typeOf, type Value } from '../values.js'
import { whereAllThere } from './arithmetic.js'
import type { Positional } from './operator.js'

const ANY = Number.POSITIVE_INFINITY

/** Strings and conversions. */
export const SCALARS: Readonly<Record<string, Positional>> = {
  $type: { arity: [1, 1], run: ([value]) => nameOf(value) },
  $concat: {
    arity: [0, ANY],
    run: args => whereAllThere(args, parts => parts.map(part => text('$concat', part)).join('')),
  },
  $toLower: { arity: [1, 1], run: ([value]) => ascii(value, letter => letter.toLowerCase()) },
  $toUpper: { arity: [1, 1], run: ([value]) => ascii(value, letter => letter.toUpperCase()) },
  $strLenCP: { arity: [1, 1], run: ([value]) => new Int32([...text('$strLenCP', value)].length) },
  $substrCP: {
    arity: [3, 3],
    run: ([value, from, count]) => {
      const start = position(from)
      return [...readable(value)].slice(start, start + position(count)).join('')
    },
  },
  $toString: { arity: [1, 1], run: args => whereAllThere(args, ([value]) => asText(value as Value)) },
  $toDate: { arity: [1, 1], run: args => whereAllThere(args, ([value]) => asDate(value as Value)) },
}

function nameOf(value: Maybe): string {
  return value === undefined ? 'missing' : typeOf(value)
}

function text(operator: string, value: Maybe): string {
  if (typeof value === 'string') return value
  const code = operator === '$concat' ? 16702 : 34471
  throw new CommandError(code, `${operator} only supports strings, not ${nameOf(value)}`)
}

/** A value as those operators read it that take more than strings; null and missing are the empty string. */
function readable(value: Maybe): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string' || value instanceof Date || isNumeric(value)) return asText(value)
  throw new CommandError(16007, `can't convert from BSON type ${nameOf(value)} to String`)
}

/** MongoDB changes the case of ASCII letters only. */
function ascii(value: Maybe, change: (letter: string) => string): string {
  return readable(value).replace(/[a-zA-Z]/g, change)
}

function position(value: Maybe): number {
  const number = isNumeric(value) ? Math.trunc(toNumber(value)) : Number.NaN
  if (number >= 0) return number
  throw new CommandError(34452, '$substrCP needs positions that are not negative')
}

function asText(value: Value): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof ObjectId) return value.toHexString()
  if (isNumeric(value)) return value.toString()
  throw failure(value, 'string')
}

function asDate(value: Value): Date {
  if (value instanceof Date) return value
  if (value instanceof ObjectId) return value.getTimestamp()
  if (isNumeric(value) && !(value instanceof Int32)) return dateAt(Math.trunc(toNumber(value)))
  const time = typeof value === 'string' ? isoTime(value) : Number.NaN
  if (!Number.isNaN(time)) return new Date(time)
  throw failure(value, 'date')
}

/** Milliseconds of an ISO 8601 date, UTC where it names no zone; NaN for any other text. */
function isoTime(value: string): number {
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,3})?)(Z|[+-]\d\d:\d\d)?)?$/.exec(value)
  return parts ? Date.parse(`${parts[1]}T${parts[2] ?? '00:00'}${parts[3] ?? 'Z'}`) : Number.NaN
}

function failure(value: Value, to: string): CommandError {
  const reason = `Failed to convert ${nameOf(value)} to ${to}: no conversion is defined`
  return new CommandError('ConversionFailure', reason)
}
