import { Int32, Timestamp } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { arithmetic } from './numbers.js'
import { compare, equal, orderKey } from './order.js'
import { isOperators, matches, parseFilter } from './predicate.js'
import { show } from './show.js'
import { sortElements } from './sort.js'
import {
  type Doc,
  field,
  isDoc,
  isNumeric,
  type Maybe,
  namesOf,
  plain,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

type Apply = (old: Maybe) => Maybe

interface Operator {
  /** Reads the operand once an update; what it gives is applied to each document. */
  read: (operand: Value, path: string) => Apply
  creates: boolean
  blocked?: boolean
}

/** The update operators that change the value at one path; `$rename` and `$setOnInsert` are the caller's. */
export const UPDATE_OPERATORS: Record<string, Operator> = {
  $set: { read: operand => () => operand, creates: true },
  $unset: { read: () => () => undefined, creates: false },
  $inc: { read: (operand, path) => calculation('$inc', '+', operand, path), creates: true },
  $mul: { read: (operand, path) => calculation('$mul', '*', operand, path), creates: true },
  $min: {
    read: operand => old => (old === undefined || compare(operand, old) < 0 ? operand : old),
    creates: true,
  },
  $max: {
    read: operand => old => (old === undefined || compare(operand, old) > 0 ? operand : old),
    creates: true,
  },
  $currentDate: { read: currentDate, creates: true },
  $push: { read: push, creates: true },
  $addToSet: { read: addToSet, creates: true },
  $pop: { read: pop, creates: false, blocked: true },
  $pull: { read: pull, creates: false, blocked: true },
  $pullAll: { read: pullAll, creates: false, blocked: true },
}

function calculation(operator: string, sign: '+' | '*', operand: Value, path: string): Apply {
  if (!isNumeric(operand)) {
    const verb = sign === '+' ? 'increment' : 'multiply'
    throw new CommandError(
      'TypeMismatch',
      `Cannot ${verb} with non-numeric argument: {${path}: ${show(operand)}}`,
    )
  }
  return old => {
    if (old === undefined) return sign === '+' ? operand : arithmetic(new Int32(0), '*', operand)
    if (!isNumeric(old)) {
      throw new CommandError(
        'TypeMismatch',
        `Cannot apply ${operator} to a value of non-numeric type. The field '${path}' is of type ${typeOf(old)}`,
      )
    }
    const result = arithmetic(old, sign, operand)
    if (result) return result
    throw new CommandError(
      'BadValue',
      `Failed to apply ${operator} operations to current value (${show(old)}): it would overflow a long`,
    )
  }
}

function currentDate(operand: Value): Apply {
  const type = isDoc(operand)
    ? field(operand, '$type')
    : operand === true || operand === false
      ? 'date'
      : undefined
  if (type === 'date') return () => new Date()
  if (type === 'timestamp') return () => new Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 })
  throw new CommandError('BadValue', '$currentDate takes true or {$type: "date"} or {$type: "timestamp"}')
}

function push(operand: Value, path: string): Apply {
  const modifiers = hasEach(operand) ? plain(operand) : { $each: [operand] }
  const { $each, $position, $slice, $sort, ...others }: Record<string, Value> = modifiers
  const strange = Object.keys(others)[0]
  if (strange !== undefined) throw new CommandError('BadValue', `Unrecognized clause in $push: ${strange}`)
  const added = eachOf($each, '$push')
  const position = integerOf($position, '$position')
  const slice = integerOf($slice, '$slice')
  if ($sort !== undefined) sortElements([], $sort)
  return old => {
    const array = arrayOf(old, path)
    const at = position === undefined ? array.length : position
    const next = [...array.slice(0, at), ...added, ...array.slice(at)]
    const all = at < 0 && -at > array.length ? [...added, ...array] : next
    const ordered = $sort === undefined ? all : sortElements(all, $sort)
    if (slice === undefined) return ordered
    return slice >= 0 ? ordered.slice(0, slice) : ordered.slice(slice)
  }
}

function addToSet(operand: Value, path: string): Apply {
  const added = hasEach(operand) ? eachOf(field(operand, '$each'), '$addToSet') : [operand]
  return old => {
    const array = arrayOf(old, path)
    const seen = new Set(array.map(orderKey))
    const missing: Value[] = []
    for (const value of added) {
      const key = orderKey(value)
      if (!seen.has(key)) missing.push(value)
      seen.add(key)
    }
    return missing.length === 0 && old !== undefined ? old : [...array, ...missing]
  }
}

function pop(operand: Value, path: string): Apply {
  const end = isNumeric(operand) ? toNumber(operand) : 0
  if (end !== 1 && end !== -1) {
    throw new CommandError('FailedToParse', `$pop expects 1 or -1, found: ${show(operand)}`)
  }
  return old => {
    if (old === undefined) return undefined
    if (!Array.isArray(old)) {
      throw new CommandError(
        'TypeMismatch',
        `Path '${path}' contains an element of non-array type '${typeOf(old)}'`,
      )
    }
    if (old.length === 0) return old
    return end === 1 ? old.slice(0, -1) : old.slice(1)
  }
}

function pull(operand: Value): Apply {
  const first = isDoc(operand) ? namesOf(operand)[0] : undefined
  const onElement = isOperators(operand) && !['$and', '$or', '$nor'].includes(first as string)
  const filter = onElement || !isDoc(operand) ? parseFilter({ element: operand }) : parseFilter(operand)
  // A plain array or scalar is compared whole, not looked for inside of nested arrays.
  if (!isDoc(operand) && typeOf(operand) !== 'regex')
    return without(element => equal(element, operand), '$pull')
  return without(
    element =>
      onElement || !isDoc(operand)
        ? matches(filter, { element })
        : isDoc(element) && matches(filter, element),
    '$pull',
  )
}

function pullAll(operand: Value): Apply {
  if (!Array.isArray(operand)) {
    throw new CommandError(
      'BadValue',
      `$pullAll requires an array argument but was given a ${typeOf(operand)}`,
    )
  }
  const unwanted = new Set(operand.map(orderKey))
  return without(element => unwanted.has(orderKey(element)), '$pullAll')
}

function without(isUnwanted: (element: Value) => boolean, operator: string): Apply {
  return old => {
    if (old === undefined) return undefined
    if (!Array.isArray(old))
      throw new CommandError('BadValue', `Cannot apply ${operator} to a non-array value`)
    const kept = old.filter(element => !isUnwanted(element))
    return kept.length === old.length ? old : kept
  }
}

function hasEach(operand: Value): operand is Doc {
  return isDoc(operand) && field(operand, '$each') !== undefined
}

function eachOf(value: Maybe, operator: string): Value[] {
  if (Array.isArray(value)) return value
  const code = operator === '$push' ? 'BadValue' : 'TypeMismatch'
  throw new CommandError(code, `The argument to $each in ${operator} must be an array`)
}

function integerOf(value: Maybe, name: string): number | undefined {
  if (value === undefined) return undefined
  const number = isNumeric(value) ? toNumber(value) : Number.NaN
  if (Number.isInteger(number)) return number
  throw new CommandError('BadValue', `The value for ${name} must be an integer`)
}

function arrayOf(old: Maybe, path: string): Value[] {
  if (old === undefined) return []
  if (Array.isArray(old)) return old
  throw new CommandError('BadValue', `The field '${path}' must be an array but is of type ${typeOf(old)}`)
}

/** Refuses by name what MongoDB has and this server has not. */
export function refuseOperator(operator: string): never {
  if (operator === '$bit') throw unsupported('$bit')
  throw new CommandError(
    'FailedToParse',
    `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
  )
}
