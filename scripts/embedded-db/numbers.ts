import { Decimal128, Double, Int32, Long } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { type Numeric, toNumber } from './values.js'

const OPERATIONS = {
  '+': {
    double: (left: number, right: number) => left + right,
    whole: (left: bigint, right: bigint) => left + right,
  },
  '-': {
    double: (left: number, right: number) => left - right,
    whole: (left: bigint, right: bigint) => left - right,
  },
  '*': {
    double: (left: number, right: number) => left * right,
    whole: (left: bigint, right: bigint) => left * right,
  },
}

/**
 * Adds, subtracts or multiplies with MongoDB's result types: double if either is one, else long if either is one or
 * the result does not fit an int. Throws where it does not fit a long either, and for Decimal128.
 */
export function arithmetic(left: Numeric, operation: keyof typeof OPERATIONS, right: Numeric): Numeric {
  if (left instanceof Decimal128 || right instanceof Decimal128) throw unsupported('Decimal128 arithmetic')
  const { double, whole } = OPERATIONS[operation]
  if (left instanceof Double || right instanceof Double)
    return new Double(double(toNumber(left), toNumber(right)))
  const result = whole(toBigInt(left), toBigInt(right))
  const isInt = left instanceof Int32 && right instanceof Int32
  if (isInt && result === BigInt.asIntN(32, result)) return new Int32(Number(result))
  if (result === BigInt.asIntN(64, result)) return Long.fromBigInt(result)
  throw new CommandError('BadValue', `${left} ${operation} ${right} would overflow a long`)
}

function toBigInt(value: Int32 | Long): bigint {
  return value instanceof Long ? value.toBigInt() : BigInt(value.value)
}
