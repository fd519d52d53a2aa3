import {
  Binary,
  BSON,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'mongodb'

/** A value of every type and kind that a database may hold and a careless way there and back would change. */
export const EVERY_TYPE: Readonly<Record<string, unknown>> = {
  objectId: new ObjectId('65f0c0ffee65f0c0ffee65f0'),
  int: new Int32(-5),
  wholeDouble: new Double(5),
  minusZero: new Double(-0),
  notANumber: new Double(Number.NaN),
  infinity: new Double(Number.POSITIVE_INFINITY),
  minusInfinity: new Double(Number.NEGATIVE_INFINITY),
  smallest: new Double(Number.MIN_VALUE),
  long: Long.fromString('9007199254740993'),
  smallLong: Long.fromNumber(7),
  decimal: Decimal128.fromString('1.10E+3'),
  decimalNotANumber: Decimal128.fromString('NaN'),
  date: new Date(Date.UTC(2024, 1, 29, 12, 0, 0, 7)),
  dateBeforeChrist: new Date(-1e14),
  lastDate: new Date(8.64e15),
  binary: new Binary(Buffer.from([0, 255, 10]), Binary.SUBTYPE_DEFAULT),
  oldBinary: new Binary(Buffer.from('old'), Binary.SUBTYPE_BYTE_ARRAY),
  uuid: new UUID('0b5f9a52-7f0b-4b1c-8a60-3d1f6a1f0a11'),
  regex: /^a\.b/im,
  foreignRegex: new BSONRegExp('x', 'lx'),
  nothing: null,
  yes: true,
  timestamp: new Timestamp({ t: 1, i: 2 }),
  minKey: new MinKey(),
  maxKey: new MaxKey(),
  code: new Code('return 1'),
  codeWithScope: new Code('return a', { a: 1 }),
  symbol: new BSONSymbol('sym'),
  text: 'नमस्ते 😀 \u2028 \u0000 "\\ \n',
  emptyObject: {},
  emptyArray: [],
  nested: { b: [{ z: new Int32(1), a: [new Double(1), []] }], a: 1 },
}

/** Documents whose names, not values, are what is hard. */
export const AWKWARD: readonly Document[] = [
  { 'a.b': 1, '': { '': 2 }, ' ': 3 },
  // In an object these would come first, and in another order.
  new Map(
    Object.entries({ z: 1 }).concat([
      ['10', 1],
      ['2', 1],
    ]),
  ),
  {
    inner: new Map<string, unknown>([
      ['b', 1],
      ['7', 1],
      ['a', 1],
    ]),
  },
  // Extended JSON's own words, stored as they are.
  { v: { $date: 'tomorrow' } },
  { v: { $oid: 'no id' } },
  { v: { $numberLong: '5' } },
  { v: { $binary: { base64: 'AA==', subType: '00' } } },
  { v: { $numberDouble: 'NaN', more: 1 } },
]

/** A document with its `_id` in front, where a server puts it, as the bytes that are stored. */
export function bytesOf(_id: unknown, document: Document): Uint8Array {
  const fields = document instanceof Map ? [...document] : Object.entries(document)
  return BSON.serialize(new Map([['_id', _id], ...fields]))
}
