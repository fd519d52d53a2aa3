import { Decimal128, Double, Int32, Long } from 'mongodb'
import { unsupported } from './errors.js'
import { isNumeric, type Maybe, type Numeric, toNumber } from './values.js'

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

/** A running sum as MongoDB keeps it: whole numbers exactly, doubles with the error of each addition carried along. */
export class Sum {
  private whole = 0n
  private double = 0
  private carried = 0
  private count = 0
  private hasLong = false
  private hasDouble = false

  /** Adds a number; anything else is passed over. */
  add(value: Maybe): void {
    if (!isNumeric(value)) return
    if (value instanceof Decimal128) throw unsupported('Decimal128 arithmetic')
    this.count++
    if (value instanceof Double) {
      this.hasDouble = true
      this.addDouble(value.value)
    } else {
      this.hasLong ||= value instanceof Long
      this.whole += toBigInt(value)
    }
  }

  total(): Numeric {
    if (this.hasDouble) return new Double(this.asDouble())
    if (!this.hasLong && this.whole >= -0x80000000n && this.whole <= 0x7fffffffn) {
      return new Int32(Number(this.whole))
    }
    const fits = this.whole >= -INT64 && this.whole < INT64
    return fits ? Long.fromBigInt(this.whole) : new Double(Number(this.whole))
  }

  /** The mean of the numbers added, always a double; null if there were none. */
  average(): Double | null {
    return this.count === 0 ? null : new Double(this.asDouble() / this.count)
  }

  private asDouble(): number {
    const sum = this.double + Number(this.whole)
    return Number.isFinite(sum) ? sum + this.carried : sum
  }

  private addDouble(value: number): void {
    const sum = this.double + value
    const error =
      Math.abs(this.double) >= Math.abs(value) ? this.double - sum + value : value - sum + this.double
    if (Number.isFinite(error)) this.carried += error
    this.double = sum
  }
}

export function sumOf(values: Iterable<Maybe>): Sum {
  const sum = new Sum()
  for (const value of values) sum.add(value)
  return sum
}
