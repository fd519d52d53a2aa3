import {
  Binary,
  BSONRegExp,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb'
import { describe, expect, it } from 'vitest'
import { compare, invert, orderKey } from '../../scripts/embedded-db/order.js'
import type { Value } from '../../scripts/embedded-db/values.js'

const int = (value: number) => new Int32(value)
const double = (value: number) => new Double(value)
const long = (text: string) => Long.fromString(text)
const decimal = (text: string) => Decimal128.fromString(text)

/** Each line equal in itself and below the next. */
const ASCENDING: Value[][] = [
  [new MinKey()],
  [null],
  [double(Number.NaN), decimal('NaN')],
  [double(Number.NEGATIVE_INFINITY), decimal('-Infinity')],
  [decimal('-1E6000')],
  [double(-Number.MAX_VALUE)],
  [long('-9223372036854775808'), double(-(2 ** 63)), decimal('-9223372036854775808')],
  [long('-9223372036854775807')],
  [long('-9007199254740993'), decimal('-9007199254740993')],
  [long('-9007199254740992'), double(-9007199254740992)],
  [int(-1), long('-1'), double(-1), decimal('-1.000')],
  [decimal('-1E-6000')],
  [int(0), long('0'), double(0), double(-0), decimal('0'), decimal('-0E+5')],
  [decimal('1E-6000')],
  [double(Number.MIN_VALUE)],
  [decimal('0.1')],
  // The double 0.1 is a little more than a tenth.
  [double(0.1)],
  [decimal('0.1000000000000000055511151231257828')],
  [double(1.5), decimal('1.5')],
  [int(2), long('2'), double(2), decimal('2.0')],
  [long('9007199254740992'), double(9007199254740992)],
  [long('9007199254740993')],
  [decimal('9007199254740993.5')],
  [long('9007199254740994'), double(9007199254740994)],
  [long('9223372036854775807')],
  [double(2 ** 63)],
  [double(Number.MAX_VALUE)],
  [decimal('1E6000')],
  [double(Number.POSITIVE_INFINITY), decimal('Infinity')],
  [''],
  ['\0'],
  ['\0a'],
  ['\x01'],
  ['\x02'],
  ['a'],
  ['a\0'],
  ['a\0b'],
  ['a\x01'],
  ['ab'],
  ['b'],
  ['z\u00e9'],
  // By UTF-8 bytes, not by UTF-16 units, of which the last one's are smaller.
  ['\uffee'],
  ['\u{1f600}'],
  [{}],
  [{ a: null }],
  [{ a: int(1) }, { a: double(1) }],
  [{ a: int(1), b: int(1) }],
  // The type of a field counts before its name.
  [{ b: int(1) }],
  [{ a: 'x' }],
  [[]],
  [[int(1)], [double(1)]],
  [[int(1), int(0)]],
  [[int(2)]],
  [['a']],
  [new Binary(Buffer.from([9]))],
  [new Binary(Buffer.from([1, 1]))],
  [new Binary(Buffer.from([1, 1]), 5)],
  [new ObjectId('000000000000000000000001')],
  [new ObjectId('ff0000000000000000000000')],
  [false],
  [true],
  [new Date(-62_135_596_800_000)],
  [new Date(-1)],
  [new Date(0)],
  [new Date(1)],
  [new Date(2 ** 32)],
  [new Timestamp({ t: 1, i: 2 })],
  [new Timestamp({ t: 4_000_000_000, i: 0 })],
  [new BSONRegExp('a', 'i')],
  [new BSONRegExp('b', '')],
  [new MaxKey()],
]

const LINES = ASCENDING.flatMap((line, place) => line.map(value => ({ place, value })))

describe('the order of values', () => {
  it('is MongoDB’s, by comparison, by key and by inverted key alike', () => {
    const wrong: string[] = []
    for (const one of LINES) {
      for (const other of LINES) {
        const [a, b] = [orderKey(one.value), orderKey(other.value)]
        const [down, up] = [invert(a), invert(b)]
        const found = {
          compared: Math.sign(compare(one.value, other.value)),
          keyed: Number(a > b) - Number(a < b),
          inverted: Number(up > down) - Number(up < down),
        }
        const expected = Math.sign(one.place - other.place)
        if (Object.values(found).some(sign => sign !== expected)) {
          wrong.push(`lines ${one.place} and ${other.place}: ${JSON.stringify(found)}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('has no key that begins another, so that keys can be strung together', () => {
    const keys = [...new Set(LINES.map(({ value }) => orderKey(value)))]
    const begun = keys.filter(key => keys.some(other => other !== key && other.startsWith(key)))
    expect(begun).toEqual([])
  })
})
