import { BSONRegExp, Int32, ObjectId } from 'mongodb'
import { CommandError } from '../errors.js'
import { compare } from '../order.js'
import { toRegExp } from '../regex.js'
import { isNumeric, type Maybe, toNumber, typeOf, type Value } from '../values.js'
import { whereAllThere } from './arithmetic.js'
import type { Named, Positional } from './expression.js'

const ANY = Number.POSITIVE_INFINITY

export const STRINGS: Readonly<Record<string, Positional>> = {
  $concat: {
    arity: [0, ANY],
    run: args => whereAllThere(args, parts => parts.map(part => text('$concat', part)).join('')),
  },
  $toLower: { arity: [1, 1], run: ([value]) => ascii(value, letter => letter.toLowerCase()) },
  $toUpper: { arity: [1, 1], run: ([value]) => ascii(value, letter => letter.toUpperCase()) },
  $strcasecmp: {
    arity: [2, 2],
    run: args => {
      const [one, other] = args.map(arg => ascii(arg, letter => letter.toUpperCase()))
      return new Int32(Math.sign(compare(one, other)))
    },
  },
  $strLenCP: { arity: [1, 1], run: ([value]) => new Int32([...text('$strLenCP', value)].length) },
  $strLenBytes: {
    arity: [1, 1],
    run: ([value]) => new Int32(Buffer.byteLength(text('$strLenBytes', value))),
  },
  $substrCP: {
    arity: [3, 3],
    run: ([value, from, count]) => {
      const start = position('$substrCP', from)
      return [...plain(value)].slice(start, start + position('$substrCP', count)).join('')
    },
  },
  $substr: { arity: [3, 3], run: substringOfBytes },
  $substrBytes: { arity: [3, 3], run: substringOfBytes },
  $indexOfCP: {
    arity: [2, 4],
    run: ([value, sought, from, to]) => {
      if (value === undefined || value === null) return null
      const points = [...text('$indexOfCP', value)]
      const start = from === undefined ? 0 : position('$indexOfCP', from)
      const end = to === undefined ? points.length : position('$indexOfCP', to)
      const wanted = text('$indexOfCP', sought)
      const at = points.slice(start, end).join('').indexOf(wanted)
      return new Int32(at < 0 ? -1 : start + [...points.slice(start, end).join('').slice(0, at)].length)
    },
  },
  $split: {
    arity: [2, 2],
    run: args =>
      whereAllThere(args, ([value, separator]) => {
        if (separator === '') throw new CommandError(40087, '$split requires a non-empty separator')
        return text('$split', value).split(text('$split', separator))
      }),
  },
}

export const STRINGS_NAMED: Readonly<Record<string, Named>> = {
  $trim: trimming('$trim', true, true),
  $ltrim: trimming('$ltrim', true, false),
  $rtrim: trimming('$rtrim', false, true),
  $replaceOne: replacing('$replaceOne', (value, find, by) => value.replace(find, () => by)),
  $replaceAll: replacing('$replaceAll', (value, find, by) => value.replaceAll(find, () => by)),
  $regexMatch: {
    required: ['input', 'regex'],
    optional: ['options'],
    run: ({ input, regex, options }) => {
      if (input === undefined || input === null || regex === undefined || regex === null) return false
      const own = regex instanceof BSONRegExp ? regex : new BSONRegExp(text('$regexMatch', regex), '')
      const flags = options === undefined || options === null ? own.options : text('$regexMatch', options)
      return toRegExp(new BSONRegExp(own.pattern, flags)).test(text('$regexMatch', input))
    },
  },
}

function text(operator: string, value: Maybe): string {
  if (typeof value === 'string') return value
  const type = value === undefined ? 'missing' : typeOf(value)
  throw new CommandError(
    operator === '$concat' ? 16702 : 34471,
    `${operator} only supports strings, not ${type}`,
  )
}

/** A value as those operators read it that take more than strings; null and missing are the empty string. */
function plain(value: Maybe): string {
  if (value === undefined || value === null) return ''
  if (value instanceof Date) return value.toISOString()
  if (isNumeric(value)) return value.toString()
  return text('$substr', value)
}

/** MongoDB changes the case of ASCII letters only. */
function ascii(value: Maybe, change: (letter: string) => string): string {
  if (value instanceof ObjectId)
    throw new CommandError(16007, "can't convert from BSON type objectId to String")
  return plain(value).replace(/[a-zA-Z]/g, change)
}

function position(operator: string, value: Maybe): number {
  const number = isNumeric(value) ? Math.trunc(toNumber(value)) : Number.NaN
  if (number >= 0) return number
  throw new CommandError(34452, `${operator} needs positions that are not negative`)
}

function substringOfBytes([value, from, count]: Maybe[]): Value {
  const bytes = Buffer.from(plain(value))
  const start = isNumeric(from) ? Math.trunc(toNumber(from)) : 0
  if (start < 0) return ''
  const length = isNumeric(count) ? Math.trunc(toNumber(count)) : 0
  const end = length < 0 ? bytes.length : Math.min(bytes.length, start + length)
  const isInside = (at: number) => at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80
  if (isInside(start) || isInside(end)) {
    throw new CommandError(28656, '$substrBytes: invalid range, it cuts a UTF-8 character')
  }
  return bytes.toString('utf8', start, end)
}

function trimming(operator: string, atStart: boolean, atEnd: boolean): Named {
  return {
    required: ['input'],
    optional: ['chars'],
    run: ({ input, chars }) =>
      whereAllThere([input, chars === undefined ? '' : chars], () => {
        const points = [...text(operator, input)]
        const unwanted = chars === undefined ? undefined : new Set(text(operator, chars))
        const isUnwanted = (point: string) => (unwanted ? unwanted.has(point) : /[\s\0]/.test(point))
        let [start, end] = [0, points.length]
        while (atStart && start < end && isUnwanted(points[start] as string)) start++
        while (atEnd && end > start && isUnwanted(points[end - 1] as string)) end--
        return points.slice(start, end).join('')
      }),
  }
}

function replacing(operator: string, replace: (value: string, find: string, by: string) => string): Named {
  return {
    required: ['input', 'find', 'replacement'],
    optional: [],
    run: ({ input, find, replacement }) =>
      whereAllThere([input, find, replacement], parts => {
        const [value, sought, by] = parts.map(part => text(operator, part)) as [string, string, string]
        return replace(value, sought, by)
      }),
  }
}
