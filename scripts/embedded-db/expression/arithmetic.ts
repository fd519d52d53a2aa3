import { Decimal128, Double, Int32, Long } from 'mongodb'
import { CommandError, unsupported } from '../errors.js'
import { arithmetic, sumOf } from '../numbers.js'
import { compare } from '../order.js'
import {
  dateAt,
  fromInteger,
  isNumeric,
  isTruthy,
  type Maybe,
  type Numeric,
  toNumber,
  typeOf,
  type Value,
} from '../values.js'
import type { Positional } from './operator.js'

const ANY = Number.POSITIVE_INFINITY

export const ARITHMETIC: Readonly<Record<string, Positional>> = {
  $add: { arity: [0, ANY], run: args => whereAllThere(args, add) },
  $subtract: { arity: [2, 2], run: args => whereAllThere(args, subtract) },
  $multiply: {
    arity: [0, ANY],
    run: args => whereAllThere(args, values => numbers('$multiply', values).reduce(multiply, new Int32(1))),
  },
  $divide: { arity: [2, 2], run: args => whereAllThere(args, divide) },
  $mod: { arity: [2, 2], run: args => whereAllThere(args, modulo) },
  $abs: { arity: [1, 1], run: args => whereAllThere(args, absolute) },
  $ceil: rounding('$ceil', Math.ceil),
  $floor: rounding('$floor', Math.floor),
  $trunc: {
    arity: [1, 2],
    run: args => whereAllThere(args, values => toPlace('$trunc', values, Math.trunc)),
  },
  $round: { arity: [1, 2], run: args => whereAllThere(args, values => toPlace('$round', values, halfEven)) },
  $cmp: { arity: [2, 2], run: ([one, other]) => new Int32(Math.sign(compare(one, other))) },
  $eq: comparing(difference => difference === 0),
  $ne: comparing(difference => difference !== 0),
  $gt: comparing(difference => difference > 0),
  $gte: comparing(difference => difference >= 0),
  $lt: comparing(difference => difference < 0),
  $lte: comparing(difference => difference <= 0),
  $not: { arity: [1, 1], run: ([value]) => !isTruthy(value) },
  $sum: { arity: [1, ANY], run: args => sumOf(elements(args)).total() },
  $avg: { arity: [1, ANY], run: args => sumOf(elements(args)).average() },
  $min: { arity: [1, ANY], run: args => extreme(elements(args), -1) },
  $max: { arity: [1, ANY], run: args => extreme(elements(args), 1) },
}

/** The least (-1) or greatest (1) of the values that are not null or missing; null if there is none. */
export function extreme(values: Iterable<Maybe>, sign: 1 | -1): Value {
  let found: Maybe
  for (const value of values) {
    if (value === undefined || value === null) continue
    if (found === undefined || compare(value, found) * sign > 0) found = value
  }
  return found ?? null
}

/** Null where any argument is null or missing, which is what nearly every operator makes of them. */
export function whereAllThere(args: Maybe[], run: (args: Value[]) => Maybe): Maybe {
  return args.some(arg => arg === undefined || arg === null) ? null : run(args as Value[])
}

function elements(args: Maybe[]): Maybe[] {
  return args.length === 1 && Array.isArray(args[0]) ? args[0] : args
}

function comparing(accepts: (difference: number) => boolean): Positional {
  return { arity: [2, 2], run: ([one, other]) => accepts(compare(one, other)) }
}

function numbers(operator: string, values: Value[]): Numeric[] {
  for (const value of values) {
    if (!isNumeric(value)) {
      const reason = `${operator} only supports numeric types, not ${typeOf(value)}`
      throw new CommandError('TypeMismatch', reason)
    }
    if (value instanceof Decimal128) throw unsupported('Decimal128 arithmetic')
  }
  return values as Numeric[]
}

function add(values: Value[]): Value {
  const dates = values.filter(value => value instanceof Date)
  if (dates.length > 1) throw new CommandError(16612, 'only one date allowed in an $add expression')
  const total = numbers(
    '$add',
    values.filter(value => !(value instanceof Date)),
  ).reduce(plus, new Int32(0))
  return dates[0] ? dateAt(dates[0].getTime() + toNumber(total)) : total
}

function plus(left: Numeric, right: Numeric): Numeric {
  return arithmetic(left, '+', right) ?? new Double(toNumber(left) + toNumber(right))
}

function multiply(left: Numeric, right: Numeric): Numeric {
  return arithmetic(left, '*', right) ?? new Double(toNumber(left) * toNumber(right))
}

function subtract([left, right]: Value[]): Value {
  if (left instanceof Date && right instanceof Date) return Long.fromNumber(left.getTime() - right.getTime())
  if (left instanceof Date && isNumeric(right)) return dateAt(left.getTime() - toNumber(right))
  const [one, other] = numbers('$subtract', [left as Value, right as Value]) as [Numeric, Numeric]
  return arithmetic(one, '-', other) ?? new Double(toNumber(one) - toNumber(other))
}

function divide(values: Value[]): Value {
  const [dividend, divisor] = numbers('$divide', values).map(toNumber) as [number, number]
  if (divisor === 0) throw new CommandError('BadValue', "can't $divide by zero")
  return new Double(dividend / divisor)
}

function modulo(values: Value[]): Value {
  const [dividend, divisor] = numbers('$mod', values) as [Numeric, Numeric]
  if (toNumber(divisor) === 0) throw new CommandError(16610, "can't $mod by zero")
  if (dividend instanceof Double || divisor instanceof Double) {
    return new Double(toNumber(dividend) % toNumber(divisor))
  }
  const result = BigInt(dividend.toString()) % BigInt(divisor.toString())
  return dividend instanceof Long || divisor instanceof Long
    ? Long.fromBigInt(result)
    : new Int32(Number(result))
}

function absolute(values: Value[]): Value {
  const [value] = numbers('$abs', values) as [Numeric]
  return toNumber(value) < 0 ? multiply(value, new Int32(-1)) : value
}

function rounding(operator: string, round: (value: number) => number): Positional {
  return {
    arity: [1, 1],
    run: args =>
      whereAllThere(args, values => {
        const [value] = numbers(operator, values) as [Numeric]
        return value instanceof Double ? new Double(round(value.value)) : value
      }),
  }
}

/** Rounds at a decimal place by way of the decimal digits, as a factor of ten would add an error of its own. */
function toPlace(operator: string, values: Value[], round: (value: number) => number): Value {
  const [value, place = new Int32(0)] = numbers(operator, values)
  const digits = toNumber(place)
  if (!value || !Number.isInteger(digits) || digits < -20 || digits > 100) {
    throw new CommandError(51082, `the place of ${operator} must be a whole number between -20 and 100`)
  }
  if (!(value instanceof Double) && digits >= 0) return value
  const number = toNumber(value)
  if (!Number.isFinite(number)) return value
  const rounded = shifted(round(shifted(number, digits)), -digits)
  return value instanceof Double ? new Double(rounded) : fromInteger(rounded)
}

function shifted(value: number, places: number): number {
  const [mantissa, exponent = '0'] = value.toString().split('e')
  return Number(`${mantissa}e${Number(exponent) + places}`)
}

function halfEven(value: number): number {
  const down = Math.floor(value)
  const rest = value - down
  if (rest !== 0.5) return Math.round(value)
  return down % 2 === 0 ? down : down + 1
}
