import { Decimal128, Double, Int32, Long } from 'mongodb'
import { unsupported } from './errors.js'
import { type Numeric, toNumber } from './values.js'

type Operation = '+' | '-' | '*'

const INT64 = 2n ** 63n

/**
 * Adds, subtracts or multiplies with MongoDB's result types: double if either is one, else long if either is one or
 * the result does not fit an int. `undefined` when it does not fit a long either. Decimal128 is refused.
 */
export function arithmetic(left: Numeric, operation: Operation, right: Numeric): Numeric | undefined {
  if (left instanceof Decimal128 || right instanceof Decimal128) throw unsupported('Decimal128 arithmetic')
  if (left instanceof Double || right instanceof Double) {
    return new Double(apply(toNumber(left), operation, toNumber(right)))
  }
  if (left instanceof Int32 && right instanceof Int32) {
    const result = apply(left.value, operation, right.value)
    if (Number.isSafeInteger(result)) {
      return result === (result | 0) ? new Int32(result) : Long.fromNumber(result)
    }
  }
  const exact = applyExact(toBigInt(left), operation, toBigInt(right))
  return exact >= -INT64 && exact < INT64 ? Long.fromBigInt(exact) : undefined
}

function toBigInt(value: Numeric): bigint {
  return value instanceof Long ? value.toBigInt() : BigInt(toNumber(value))
}

function apply(left: number, operation: Operation, right: number): number {
  if (operation === '*') return left * right
  return operation === '+' ? left + right : left - right
}

function applyExact(left: bigint, operation: Operation, right: bigint): bigint {
  if (operation === '*') return left * right
  return operation === '+' ? left + right : left - right
}
