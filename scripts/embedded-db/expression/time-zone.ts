import { CommandError } from '../errors.js'
import type { Maybe } from '../values.js'

export interface Zone {
  name: string
  /** Of zones that are a fixed distance from UTC, in milliseconds. */
  fixed?: number
  format?: Intl.DateTimeFormat
}

const UTC: Zone = { name: 'UTC', fixed: 0 }
const known = new Map<string, Zone>()

/** Reads `UTC`, `+05:30` or an Olson name; UTC where none is given. Throws for an unknown one (40485). */
export function zoneOf(value: Maybe): Zone {
  if (value === undefined || value === 'UTC' || value === 'GMT') return UTC
  if (typeof value !== 'string') throw new CommandError(40517, 'timezone must evaluate to a string')
  const offset = /^([+-])(\d\d):?(\d\d)?$/.exec(value)
  if (offset) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3] ?? 0)
    return { name: value, fixed: (offset[1] === '-' ? -minutes : minutes) * 60_000 }
  }
  const zone = known.get(value) ?? { name: value, format: formatOf(value) }
  known.set(value, zone)
  return zone
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
  } catch {
    throw new CommandError(40485, `unrecognized time zone identifier: "${timeZone}"`)
  }
}

/** How far the zone's clocks are ahead of UTC at an instant, in milliseconds. */
export function offsetOf(zone: Zone, time: number): number {
  if (zone.fixed !== undefined || !zone.format) return zone.fixed ?? 0
  const parts = Object.fromEntries(zone.format.formatToParts(time).map(({ type, value }) => [type, value]))
  const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year)
  const local = new Date(0)
  local.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day))
  local.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second))
  return local.getTime() - Math.floor(time / 1000) * 1000
}

/** A date whose UTC fields are what the zone's clocks show. */
export function inZone(date: Date, zone: Zone): Date {
  return new Date(date.getTime() + offsetOf(zone, date.getTime()))
}
