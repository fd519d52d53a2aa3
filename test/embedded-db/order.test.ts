import { Binary, Decimal128, Double, Int32, Long, MinKey, ObjectId } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { compare, invert, orderKey } from '../../scripts/embedded-db/order.js'
import type { Value } from '../../scripts/embedded-db/values.js'

const int = (value: number) => new Int32(value)
const double = (value: number) => new Double(value)
const long = (text: string) => Long.fromString(text)

/** Each line equal in itself and below the next. */
const ASCENDING: Value[][] = [
  [null],
  [double(Number.NaN)],
  [double(Number.NEGATIVE_INFINITY)],
  [double(-Number.MAX_VALUE)],
  [double(-(2 ** 63))],
  [long('-9007199254740991'), double(-9007199254740991)],
  [int(-1), long('-1'), double(-1)],
  [int(0), long('0'), double(0), double(-0)],
  [double(Number.MIN_VALUE)],
  [double(0.1)],
  [double(1.5)],
  [int(2), long('2'), double(2)],
  [long('9007199254740991'), double(9007199254740991)],
  [double(9007199254740994)],
  [double(2 ** 63)],
  [double(Number.MAX_VALUE)],
  [double(Number.POSITIVE_INFINITY)],
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
  [new ObjectId('000000000000000000000001')],
  [new ObjectId('ff0000000000000000000000')],
  [false],
  [true],
  [new Date(-62_135_596_800_000)],
  [new Date(-1)],
  [new Date(0)],
  [new Date(1)],
  [new Date(2 ** 32)],
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

  it('has no place for what Leadline only stores', () => {
    const stored = [
      Decimal128.fromString('1'),
      long('9007199254740993'),
      new Binary(Buffer.from([1])),
      new MinKey(),
    ]
    for (const value of stored) expect(() => orderKey(value)).toThrow('in a comparison, a sort or an index')
  })
})
