import { Int32 } from 'mongodb'
import { CommandError } from '../errors.js'
import { compare, equal, orderKey } from '../order.js'
import { sortElements } from '../sort.js'
import {
  type Doc,
  docOf,
  field,
  fieldsOf,
  isDoc,
  isNumeric,
  type Maybe,
  toNumber,
  typeOf,
  type Value,
} from '../values.js'
import { whereAllThere } from './arithmetic.js'
import type { Named, Positional } from './operator.js'

const ANY = Number.POSITIVE_INFINITY

export const ARRAYS: Readonly<Record<string, Positional>> = {
  $size: { arity: [1, 1], run: ([value]) => new Int32(arrayOf('$size', value).length) },
  $isArray: { arity: [1, 1], run: ([value]) => Array.isArray(value) },
  $in: {
    arity: [2, 2],
    run: ([value, array]) => arrayOf('$in', array).some(element => equal(element, value)),
  },
  $concatArrays: {
    arity: [0, ANY],
    run: args => whereAllThere(args, arrays => arrays.flatMap(array => arrayOf('$concatArrays', array))),
  },
  $arrayElemAt: {
    arity: [2, 2],
    run: args =>
      whereAllThere(args, ([array, index]) => {
        return arrayOf('$arrayElemAt', array).at(wholeNumber('$arrayElemAt', index))
      }),
  },
  $first: { arity: [1, 1], run: args => whereAllThere(args, ([array]) => arrayOf('$first', array)[0]) },
  $last: { arity: [1, 1], run: args => whereAllThere(args, ([array]) => arrayOf('$last', array).at(-1)) },
  $slice: { arity: [2, 3], run: args => whereAllThere(args, slice) },
  $setUnion: { arity: [0, ANY], run: args => whereAllThere(args, sets => distinct(sets.flatMap(toSet))) },
  $setIntersection: { arity: [0, ANY], run: args => whereAllThere(args, intersection) },
  $setDifference: {
    arity: [2, 2],
    run: args =>
      whereAllThere(args, ([one, other]) => {
        const unwanted = new Set(toSet(other).map(orderKey))
        return firstOfEach(toSet(one)).filter(value => !unwanted.has(orderKey(value)))
      }),
  },
  $setIsSubset: {
    arity: [2, 2],
    run: ([one, other]) => {
      const wanted = new Set(toSet(other).map(orderKey))
      return toSet(one).every(value => wanted.has(orderKey(value)))
    },
  },
  $mergeObjects: { arity: [0, ANY], run: args => mergeObjects(args) },
  $objectToArray: {
    arity: [1, 1],
    run: args =>
      whereAllThere(args, ([value]) => {
        if (!isDoc(value)) throw new CommandError(40390, '$objectToArray requires a document input')
        return fieldsOf(value).map(([k, v]) => ({ k, v }))
      }),
  },
  $arrayToObject: {
    arity: [1, 1],
    run: args => whereAllThere(args, ([array]) => arrayToObject(array as Value)),
  },
}

export const ARRAYS_NAMED: Readonly<Record<string, Named>> = {
  $sortArray: {
    required: ['input', 'sortBy'],
    optional: [],
    run: ({ input, sortBy }) => {
      if (input === undefined || input === null) return null
      return sortElements(arrayOf('$sortArray', input), sortBy as Value)
    },
  },
}

/** One document of all, later ones winning; null and missing ones are passed over. */
export function mergeObjects(values: Iterable<Maybe>): Doc {
  const merged: [string, Value][] = []
  for (const value of values) {
    if (value === undefined || value === null) continue
    if (!isDoc(value)) {
      throw new CommandError(
        40400,
        `$mergeObjects requires object inputs, but input is of type ${typeOf(value)}`,
      )
    }
    merged.push(...fieldsOf(value))
  }
  return docOf(merged)
}

const NOT_AN_ARRAY: Readonly<Record<string, number>> = { $size: 17124, $in: 40081, $concatArrays: 28664 }

function arrayOf(operator: string, value: Maybe): Value[] {
  if (Array.isArray(value)) return value
  const type = value === undefined ? 'missing' : typeOf(value)
  const code = NOT_AN_ARRAY[operator] ?? 28689
  throw new CommandError(code, `The argument to ${operator} must be an array, but was of type: ${type}`)
}

function toSet(value: Maybe): Value[] {
  if (Array.isArray(value)) return value
  throw new CommandError(
    17043,
    `All operands of set operators must be arrays, but one was of type: ${typeOf(value)}`,
  )
}

function firstOfEach(values: Value[]): Value[] {
  const found = new Map<string, Value>()
  for (const value of values) {
    const key = orderKey(value)
    if (!found.has(key)) found.set(key, value)
  }
  return [...found.values()]
}

/** MongoDB leaves the order of a set open; this is the order of the values. */
function distinct(values: Value[]): Value[] {
  return firstOfEach(values).sort(compare)
}

function intersection(sets: Value[]): Value[] {
  const [first, ...others] = sets.map(toSet)
  const keys = others.map(set => new Set(set.map(orderKey)))
  return distinct((first ?? []).filter(value => keys.every(set => set.has(orderKey(value)))))
}

function wholeNumber(operator: string, value: Maybe): number {
  const number = isNumeric(value) ? toNumber(value) : Number.NaN
  if (Number.isInteger(number)) return number
  throw new CommandError(40386, `${operator} needs whole numbers for positions`)
}

function slice([array, one, two]: Value[]): Value[] {
  const elements = arrayOf('$slice', array)
  const first = wholeNumber('$slice', one)
  if (two === undefined) return first >= 0 ? elements.slice(0, first) : elements.slice(first)
  const count = wholeNumber('$slice', two)
  if (count <= 0) throw new CommandError(28729, 'Third argument to $slice must be positive')
  const from = first >= 0 ? first : Math.max(0, elements.length + first)
  return elements.slice(from, from + count)
}

function arrayToObject(value: Value): Doc {
  const fields: [string, Value][] = []
  for (const pair of arrayOf('$arrayToObject', value)) {
    const [name, inner] = Array.isArray(pair) ? pair : isDoc(pair) ? [field(pair, 'k'), field(pair, 'v')] : []
    if (typeof name !== 'string' || inner === undefined) {
      throw new CommandError(40392, '$arrayToObject requires pairs of [key, value] or documents of k and v')
    }
    fields.push([name, inner])
  }
  return docOf(fields)
}
