import { Int32, ObjectId } from 'mongodb'
import { CommandError, unsupported } from '../errors.js'
import { field, isDoc, isNumeric, type Maybe, toNumber, typeOf, type Value } from '../values.js'
import type { Named, Positional } from './operator.js'

const MINUTE = 60_000

type Part = (local: Date) => number

const PARTS: Readonly<Record<string, Part>> = {
  $year: local => local.getUTCFullYear(),
  $month: local => local.getUTCMonth() + 1,
  $dayOfMonth: local => local.getUTCDate(),
  $dayOfWeek: local => local.getUTCDay() + 1,
  $hour: local => local.getUTCHours(),
}

/** `$year` and its like, which take a date or `{ date, timezone }`; the latter arrives here as a document. */
export const DATES: Readonly<Record<string, Positional>> = Object.fromEntries(
  Object.entries(PARTS).map(([operator, part]) => [
    operator,
    { arity: [1, 1], run: ([value]) => partOf(operator, part, value) },
  ]),
)

export const DATES_NAMED: Readonly<Record<string, Named>> = {
  $dateToString: {
    required: ['date'],
    optional: ['format', 'timezone', 'onNull'],
    run: ({ date, format, timezone, onNull }) => {
      if (isNone(date)) return onNull === undefined ? null : onNull
      if (timezone === null || format === null) return null
      const offset = offsetOf(timezone)
      const iso = offset === 0 ? '%Y-%m-%dT%H:%M:%S.%LZ' : '%Y-%m-%dT%H:%M:%S.%L'
      return formatted(local(dateOf('$dateToString', date), offset), String(format ?? iso))
    },
  },
  $dateTrunc: {
    required: ['date', 'unit'],
    optional: ['binSize', 'timezone', 'startOfWeek'],
    run: ({ date, unit, binSize, timezone, startOfWeek }) => {
      if (isNone(date) || isNone(unit) || timezone === null) return null
      if (binSize !== undefined && !(isNumeric(binSize) && toNumber(binSize) === 1)) {
        throw unsupported('A binSize other than 1 of $dateTrunc')
      }
      const offset = offsetOf(timezone)
      const shown = local(dateOf('$dateTrunc', date), offset)
      return new Date(startOf(String(unit), shown, String(startOfWeek ?? 'sunday')) - offset)
    },
  },
}

function isNone(value: Maybe): boolean {
  return value === undefined || value === null
}

function dateOf(operator: string, value: Maybe): Date {
  if (value instanceof Date) return value
  if (value instanceof ObjectId) return value.getTimestamp()
  throw new CommandError(16006, `${operator} can't convert from BSON type ${typeOf(value)} to Date`)
}

/** How far ahead of UTC a zone's clocks are, in milliseconds. Zones by name, whose distance changes, are refused. */
function offsetOf(zone: Maybe): number {
  if (zone === undefined || zone === 'UTC' || zone === 'GMT') return 0
  const parts = typeof zone === 'string' ? /^([+-])(\d\d):?(\d\d)?$/.exec(zone) : null
  if (!parts) throw unsupported(`The time zone '${String(zone)}' (UTC and offsets like +05:30 are)`)
  const minutes = Number(parts[2]) * 60 + Number(parts[3] ?? 0)
  return (parts[1] === '-' ? -minutes : minutes) * MINUTE
}

/** A date whose UTC fields are what the zone's clocks show. */
function local(date: Date, offset: number): Date {
  return new Date(date.getTime() + offset)
}

function partOf(operator: string, part: Part, value: Maybe): Value {
  const [date, timezone] = isDoc(value)
    ? [field(value, 'date'), field(value, 'timezone')]
    : [value, undefined]
  if (isNone(date) || timezone === null) return null
  return new Int32(part(local(dateOf(operator, date), offsetOf(timezone))))
}

function formatted(shown: Date, format: string): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, '0')
  const specifiers: Readonly<Record<string, () => string>> = {
    Y: () => pad(shown.getUTCFullYear(), 4),
    m: () => pad(shown.getUTCMonth() + 1),
    d: () => pad(shown.getUTCDate()),
    H: () => pad(shown.getUTCHours()),
    M: () => pad(shown.getUTCMinutes()),
    S: () => pad(shown.getUTCSeconds()),
    L: () => pad(shown.getUTCMilliseconds(), 3),
    '%': () => '%',
  }
  return format.replace(/%(.?)/g, (_, letter: string) => {
    const specifier = specifiers[letter]
    if (!specifier) throw unsupported(`The format specifier %${letter} of $dateToString`)
    return specifier()
  })
}

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** The local time, in milliseconds, at which the unit that a local time lies in begins. */
function startOf(unit: string, shown: Date, startOfWeek: string): number {
  const [year, month, day] = [shown.getUTCFullYear(), shown.getUTCMonth(), shown.getUTCDate()]
  switch (unit) {
    case 'minute':
      return shown.setUTCSeconds(0, 0)
    case 'hour':
      return shown.setUTCMinutes(0, 0, 0)
    case 'day':
      return Date.UTC(year, month, day)
    case 'week': {
      const first = WEEKDAYS.indexOf(startOfWeek.slice(0, 3).toLowerCase())
      return Date.UTC(year, month, day - ((shown.getUTCDay() - first + 7) % 7))
    }
    case 'month':
      return Date.UTC(year, month)
    case 'year':
      return Date.UTC(year, 0)
    default:
      throw unsupported(`The unit '${unit}' of $dateTrunc`)
  }
}
