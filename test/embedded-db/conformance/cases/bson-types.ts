import {
  type Binary,
  BSON,
  BSONRegExp,
  Code,
  type Collection,
  type Db,
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
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { type Row, rows, unchecked } from '../rows.js'

const everyType = new Map<string, unknown>([
  ['_id', new ObjectId('0123456789abcdef01234567')],
  ['z', new Int32(1)],
  ['double', new Double(1)],
  ['minusZero', new Double(-0)],
  ['nan', Number.NaN],
  ['infinity', Number.NEGATIVE_INFINITY],
  ['long', Long.fromNumber(1)],
  ['longest', Long.MIN_VALUE],
  ['decimal', Decimal128.fromString('1.10')],
  ['decimalZero', Decimal128.fromString('-0E+3')],
  ['string', 'with \0 and \u{1f600}'],
  ['empty', ''],
  ['binary', new UUID('11111111-1111-4111-8111-111111111111')],
  ['bytes', Buffer.from([0, 255])],
  ['date', new Date(-1)],
  ['timestamp', new Timestamp({ t: 7, i: 9 })],
  ['regex', new BSONRegExp('a/b', 'imx')],
  ['code', new Code('function () {}')],
  ['null', null],
  ['false', false],
  ['minKey', new MinKey()],
  ['maxKey', new MaxKey()],
  ['emptyDocument', {}],
  ['emptyArray', []],
  ['nested', [[], [1, [new Double(2)]], { b: 1, a: [{}] }]],
  [
    'a',
    new Map<string, unknown>([
      ['y', 1],
      ['x', new Map([['', 0]])],
    ]),
  ],
])

/** Names that a JavaScript object would move to the front. */
const digits = new Map<string, unknown>([
  ['_id', 'digits'],
  ['b', 1],
  ['10', 1],
  ['2', 1],
  [
    'a',
    new Map([
      ['x', 1],
      ['1', 1],
      ['0', 1],
    ]),
  ],
])
const reordered = { referenceFault: 'The gateway before DocumentDB is written in JavaScript' }

const stored = BSON.serialize(everyType as unknown as Document)

/** The document's bytes after an act on it; the expected answer is that not one of them changed. */
function kept(
  name: string,
  act: (collection: Collection<Row>) => Promise<unknown>,
  document = everyType,
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected: 'the same bytes',
    ...marks,
    async run(db: Db) {
      await rows(db).insertOne(document as unknown as Row)
      await act(rows(db))
      const [raw] = await rows(db).find({}, { raw: true }).toArray()
      const before = Buffer.from(BSON.serialize(document as unknown as Document)).toString('latin1')
      const after = Buffer.from((raw ?? []) as unknown as Uint8Array).toString('latin1')
      return before === after ? 'the same bytes' : { before, after }
    },
  }
}

export const bsonTypes: Subject = {
  subject: 'BSON types',
  cases: [
    kept('every type comes back byte for byte', async () => undefined),
    kept('an update of a field elsewhere leaves every other byte', async collection => {
      await collection.updateOne({}, { $set: { other: 1 } })
      await collection.updateOne({}, { $unset: { other: 1 } })
    }),
    kept('a pipeline update leaves every other byte', async collection => {
      await collection.updateOne({}, [{ $set: { other: 1 } }])
      await collection.updateOne({}, { $unset: { other: 1 } })
    }),
    kept('an array that grows and shrinks keeps its elements', async collection => {
      await collection.updateOne({}, unchecked({ $push: { nested: 'x' } }))
      await collection.updateOne({}, unchecked({ $pull: { nested: 'x' } }))
    }),
    kept('a document found, and written back as it was, keeps its bytes', async collection => {
      const [row] = await collection.find({}, { promoteValues: false, bsonRegExp: true }).toArray()
      await collection.deleteMany({})
      await collection.insertOne(row as Row)
    }),
    kept('findAndModify leaves every other byte', async collection => {
      await collection.findOneAndUpdate({}, { $inc: { 'a.y': 1 } })
      await collection.findOneAndUpdate({}, { $inc: { 'a.y': -1 } })
    }),
    kept('fields named by digits keep their place', async () => undefined, digits, reordered),
    kept(
      'an update keeps the place of fields named by digits',
      async collection => {
        await collection.updateOne({}, { $set: { 'a.x': 2 } })
        await collection.updateOne({}, { $set: { 'a.x': 1 } })
      },
      digits,
      reordered,
    ),
    {
      name: 'a pipeline returns every type byte for byte',
      expected: 'the same bytes',
      async run(db) {
        await rows(db).insertOne(everyType as unknown as Row)
        const [raw] = await rows(db)
          .aggregate([{ $match: { z: 1 } }, { $limit: 1 }], { raw: true })
          .toArray()
        return Buffer.from(raw as unknown as Uint8Array).equals(stored)
          ? 'the same bytes'
          : BSON.deserialize(raw as unknown as Uint8Array)
      },
    },
    {
      name: 'an inserted document gets its _id in front',
      expected: ['_id', 'b', 'a'],
      async run(db) {
        await db.command({ insert: 'rows', documents: [{ b: 1, _id: 5, a: 1 }] })
        return Object.keys((await rows(db).findOne()) ?? {})
      },
    },
    {
      name: 'an inserted document without an _id gets an ObjectId',
      expected: ['ObjectId', '_id', 'b'],
      async run(db) {
        await db.command({ insert: 'rows', documents: [{ b: 1 }] })
        const row = (await rows(db).findOne()) as Document | null
        return [row?._id?._bsontype as unknown, ...Object.keys(row ?? {})]
      },
    },
    {
      name: 'a UUID comes back as one',
      expected: ['11111111-1111-4111-8111-111111111111', 4],
      async run(db) {
        await rows(db).insertOne({ _id: 1, a: new UUID('11111111-1111-4111-8111-111111111111') })
        const binary = (await rows(db).findOne())?.a as Binary
        return [binary.toUUID().toString(), binary.sub_type]
      },
    },
  ],
}
