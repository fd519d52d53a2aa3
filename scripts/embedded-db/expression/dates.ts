import { Int32, Long } from 'mongodb'
import { CommandError, unsupported } from '../errors.js'
import { dateAt, field, isDoc, isNumeric, type Maybe, toNumber, typeOf, type Value } from '../values.js'
import type { Named, Positional } from './expression.js'
import { inZone, offsetOf, type Zone, zoneOf } from './time-zone.js'
import { asDate, parseDate } from './types.js'

const DAY = 86_400_000

/** Units of a fixed length, in milliseconds; `day` and longer follow the calendar of the time zone. */
const HOUR = 3_600_000
const FIXED: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: HOUR,
}
const MONTHS: Readonly<Record<string, number>> = { month: 1, quarter: 3, year: 12 }
const DAYS: Readonly<Record<string, number>> = { day: 1, week: 7 }

type Part = (local: Date) => number

const PARTS: Readonly<Record<string, Part>> = {
  $year: local => local.getUTCFullYear(),
  $month: local => local.getUTCMonth() + 1,
  $dayOfMonth: local => local.getUTCDate(),
  $dayOfYear: local => dayOfYear(local),
  $dayOfWeek: local => local.getUTCDay() + 1,
  $isoDayOfWeek: local => local.getUTCDay() || 7,
  $hour: local => local.getUTCHours(),
  $minute: local => local.getUTCMinutes(),
  $second: local => local.getUTCSeconds(),
  $millisecond: local => local.getUTCMilliseconds(),
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
      if (date === undefined || date === null) return onNull === undefined ? null : onNull
      if (timezone === null || format === null) return null
      const zone = zoneOf(timezone)
      const fallback = zone.name === 'UTC' ? '%Y-%m-%dT%H:%M:%S.%LZ' : '%Y-%m-%dT%H:%M:%S.%L'
      return formatted(dateOf('$dateToString', date), typeof format === 'string' ? format : fallback, zone)
    },
  },
  $dateFromString: {
    required: ['dateString'],
    optional: ['onNull', 'onError'],
    run: ({ dateString, onNull, onError }) => {
      if (dateString === undefined || dateString === null) return onNull ?? null
      const time = typeof dateString === 'string' ? parseDate(dateString) : undefined
      if (time !== undefined) return new Date(time)
      if (onError !== undefined) return onError
      throw new CommandError('ConversionFailure', `Error parsing date string '${String(dateString)}'`)
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
      return truncated(
        dateOf('$dateTrunc', date),
        String(unit),
        zoneOf(timezone),
        String(startOfWeek ?? 'sunday'),
      )
    },
  },
  $dateAdd: dateAdding('$dateAdd', 1),
  $dateSubtract: dateAdding('$dateSubtract', -1),
  $dateDiff: {
    required: ['startDate', 'endDate', 'unit'],
    optional: ['timezone', 'startOfWeek'],
    run: ({ startDate, endDate, unit, timezone, startOfWeek }) => {
      if (isNone(startDate) || isNone(endDate) || isNone(unit) || timezone === null) return null
      const [from, to] = [dateOf('$dateDiff', startDate), dateOf('$dateDiff', endDate)]
      const week = String(startOfWeek ?? 'sunday')
      return Long.fromNumber(difference(from, to, String(unit), zoneOf(timezone), week))
    },
  },
}

function isNone(value: Maybe): boolean {
  return value === undefined || value === null
}

function dateOf(operator: string, value: Maybe): Date {
  const date = asDate(value)
  if (date) return date
  throw new CommandError(16006, `${operator} can't convert from BSON type ${typeOf(value)} to Date`)
}

function partOf(operator: string, part: Part, value: Maybe): Value {
  const [date, timezone] = isDoc(value)
    ? [field(value, 'date'), field(value, 'timezone')]
    : [value, undefined]
  if (isNone(date) || timezone === null) return null
  return new Int32(part(inZone(dateOf(operator, date), zoneOf(timezone))))
}

function dayOfYear(local: Date): number {
  return Math.floor((local.getTime() - Date.UTC(local.getUTCFullYear(), 0)) / DAY) + 1
}

function formatted(date: Date, format: string, zone: Zone): string {
  const local = inZone(date, zone)
  const pad = (value: number, width: number) => String(value).padStart(width, '0')
  return format.replace(/%(.?)/g, (_, letter: string) => {
    switch (letter) {
      case 'Y':
        return pad(local.getUTCFullYear(), 4)
      case 'm':
        return pad(local.getUTCMonth() + 1, 2)
      case 'd':
        return pad(local.getUTCDate(), 2)
      case 'H':
        return pad(local.getUTCHours(), 2)
      case 'M':
        return pad(local.getUTCMinutes(), 2)
      case 'S':
        return pad(local.getUTCSeconds(), 2)
      case 'L':
        return pad(local.getUTCMilliseconds(), 3)
      case 'j':
        return pad(dayOfYear(local), 3)
      case 'w':
        return String(local.getUTCDay() + 1)
      case 'u':
        return String(local.getUTCDay() || 7)
      case 'z': {
        const minutes = offsetOf(zone, date.getTime()) / 60_000
        const size = Math.abs(minutes)
        return `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2)}${pad(size % 60, 2)}`
      }
      case '%':
        return '%'
      default:
        throw unsupported(`The format specifier %${letter} of $dateToString`)
    }
  })
}

function truncated(date: Date, unit: string, zone: Zone, startOfWeek: string): Date {
  const length = FIXED[unit]
  // Zones differ by whole minutes, so that only an hour has to be taken in local time.
  if (length !== undefined && unit !== 'hour') return new Date(Math.floor(date.getTime() / length) * length)
  const local = inZone(date, zone)
  if (unit === 'hour') {
    return new Date(date.getTime() - (((local.getTime() % HOUR) + HOUR) % HOUR))
  }
  return toInstant(truncatedLocal(local, unit, startOfWeek), zone)
}

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

function truncatedLocal(local: Date, unit: string, startOfWeek: string): number {
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()]
  if (unit === 'day') return Date.UTC(year, month, day)
  if (unit === 'week') {
    const first = WEEKDAYS.indexOf(startOfWeek.slice(0, 3).toLowerCase())
    return Date.UTC(year, month, day - ((local.getUTCDay() - first + 7) % 7))
  }
  const months = MONTHS[unit]
  if (months === undefined) throw new CommandError('FailedToParse', `unknown time unit value: ${unit}`)
  return Date.UTC(year, Math.floor(month / months) * months)
}

/** The instant at which clocks of the zone show this local time. */
function toInstant(local: number, zone: Zone): Date {
  const guess = local - offsetOf(zone, local)
  return dateAt(local - offsetOf(zone, guess))
}

function dateAdding(operator: string, sign: 1 | -1): Named {
  return {
    required: ['startDate', 'unit', 'amount'],
    optional: ['timezone'],
    run: ({ startDate, unit, amount, timezone }) => {
      if (isNone(startDate) || isNone(unit) || isNone(amount) || timezone === null) return null
      if (!isNumeric(amount))
        throw new CommandError(5166405, `${operator} expects integer amount of time units`)
      return shifted(dateOf(operator, startDate), String(unit), sign * toNumber(amount), zoneOf(timezone))
    },
  }
}

function shifted(date: Date, unit: string, amount: number, zone: Zone): Date {
  const fixed = FIXED[unit]
  if (fixed !== undefined) return dateAt(date.getTime() + amount * fixed)
  const local = inZone(date, zone)
  const days = DAYS[unit]
  if (days !== undefined) return toInstant(local.getTime() + amount * days * DAY, zone)
  const months = MONTHS[unit]
  if (months === undefined) throw new CommandError('FailedToParse', `unknown time unit value: ${unit}`)
  const [year, month, day] = [
    local.getUTCFullYear(),
    local.getUTCMonth() + amount * months,
    local.getUTCDate(),
  ]
  // 31 January and a month is the last of February.
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return toInstant(Date.UTC(year, month, Math.min(day, last)) + (local.getTime() - dayStart(local)), zone)
}

function dayStart(local: Date): number {
  return Date.UTC(local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate())
}

/** How many boundaries of the unit lie between the two. */
function difference(from: Date, to: Date, unit: string, zone: Zone, startOfWeek: string): number {
  const fixed = FIXED[unit]
  const [one, other] = [inZone(from, zone), inZone(to, zone)]
  if (fixed !== undefined) {
    const count = (date: Date) => Math.floor(date.getTime() / fixed)
    return unit === 'hour' ? count(other) - count(one) : count(to) - count(from)
  }
  const months = MONTHS[unit]
  if (months !== undefined) {
    const count = (date: Date) => Math.floor((date.getUTCFullYear() * 12 + date.getUTCMonth()) / months)
    return count(other) - count(one)
  }
  const days = DAYS[unit]
  if (days === undefined) throw new CommandError('FailedToParse', `unknown time unit value: ${unit}`)
  const start = (date: Date) => truncatedLocal(date, unit, startOfWeek)
  return Math.round((start(other) - start(one)) / (days * DAY))
}
