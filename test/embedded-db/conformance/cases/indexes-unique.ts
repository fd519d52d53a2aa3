import {
  type Document,
  Double,
  type Filter,
  Long,
  MongoBulkWriteError,
  ObjectId,
  type UpdateFilter,
} from 'mongodb'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { duplicate, failure } from '../outcome.js'
import { filled, ids, type Row, rows } from '../rows.js'

const wholeArray = { referenceFault: 'DocumentDB does not show the element' }
const noValue = { referenceFault: 'DocumentDB has no keyValue in errors of updates' }

/** The whole error of an insert that breaks a unique index. */
function rejecting(
  name: string,
  keys: Record<string, 1 | -1>,
  first: Document,
  second: Document,
  keyValue: Document,
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected: {
      code: 11000,
      keyPattern: keys,
      keyValue,
    },
    ...marks,
    async run(db) {
      const collection = await filled(db, [first])
      await collection.createIndex(keys, { unique: true })
      return duplicate(collection.insertOne({ _id: 2, ...second }))
    },
  }
}

/** Whether two documents fit under one unique index. */
function allowing(
  name: string,
  keys: Record<string, 1 | -1>,
  documents: Document[],
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected: documents.length,
    ...marks,
    async run(db) {
      await rows(db).createIndex(keys, { unique: true })
      return (await filled(db, documents)).countDocuments()
    },
  }
}

/** An update over two documents, a:1 and a:2 under a unique index, that would make them the same. */
function updatingInto(
  name: string,
  act: (
    filter: Filter<Row>,
    update: UpdateFilter<Row>,
    db: Parameters<ConformanceCase['run']>[0],
  ) => Promise<unknown>,
): ConformanceCase {
  return {
    name,
    expected: {
      code: 11000,
      keyPattern: { a: 1 },
      keyValue: { a: 1 },
      after: [
        { _id: 1, a: 1 },
        { _id: 2, a: 2 },
      ],
    },
    ...noValue,
    async run(db) {
      const collection = await filled(db, [{ a: 1 }, { a: 2 }])
      await collection.createIndex({ a: 1 }, { unique: true })
      const error = await duplicate(act({ _id: 2 }, { $set: { a: 1, b: 1 } }, db))
      return { ...error, after: await collection.find().sort({ _id: 1 }).toArray() }
    },
  }
}

export const indexesUnique: Subject = {
  subject: 'unique indexes',
  cases: [
    rejecting('a string', { a: 1 }, { a: 'x' }, { a: 'x' }, { a: 'x' }),
    rejecting('a missing field counts as null', { a: 1 }, { b: 1 }, { b: 2 }, { a: null }),
    rejecting('null and missing are the same', { a: 1 }, { a: null }, {}, { a: null }),
    rejecting('an int and a double', { a: 1 }, { a: 1 }, { a: new Double(1) }, { a: 1 }),
    rejecting('an int and a long', { a: 1 }, { a: 1 }, { a: Long.ONE }, { a: 1 }),
    rejecting(
      'a date',
      { a: 1 },
      { a: new Date(5) },
      { a: new Date(5) },
      { a: { $date: '1970-01-01T00:00:00.005Z' } },
    ),
    rejecting(
      'an ObjectId',
      { a: 1 },
      { a: new ObjectId('0123456789abcdef01234567') },
      { a: new ObjectId('0123456789abcdef01234567') },
      { a: { $oid: '0123456789abcdef01234567' } },
    ),
    rejecting(
      'two fields in two directions',
      { a: 1, b: -1 },
      { a: 1, b: 'x' },
      { b: 'x', a: 1 },
      { a: 1, b: 'x' },
    ),
    rejecting('a dotted field', { 'a.b': 1 }, { a: { b: 5 } }, { a: { b: 5, c: 1 } }, { 'a.b': 5 }),
    rejecting(
      'an element of an array',
      { a: 1 },
      { a: ['x', 'y'] },
      { a: ['z', 'y'] },
      { a: 'y' },
      wholeArray,
    ),
    rejecting('an element and a scalar', { a: 1 }, { a: ['x', 'y'] }, { a: 'y' }, { a: 'y' }),
    rejecting(
      'a field of the documents in an array',
      { 'a.k': 1 },
      { a: [{ k: 1 }, { k: 2 }] },
      { a: [{ k: 2 }] },
      { 'a.k': 2 },
      wholeArray,
    ),
    rejecting(
      'a whole document, in its order',
      { a: 1 },
      { a: { x: 1, y: 2 } },
      { a: { x: 1, y: 2 } },
      { a: { x: 1, y: 2 } },
    ),
    allowing('the same element twice in one document', { a: 1 }, [{ a: ['x', 'x'] }, { a: ['y'] }]),
    allowing('the same field twice in the documents of one array', { 'a.k': 1 }, [
      { a: [{ k: 1 }, { k: 1 }] },
    ]),
    allowing('the same keys in another order', { a: 1 }, [{ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }]),
    allowing('strings that differ in case', { a: 1 }, [{ a: 'x' }, { a: 'X' }]),
    allowing('a number and its text', { a: 1 }, [{ a: 1 }, { a: '1' }, { a: true }, { a: new Date(1) }]),
    allowing('parts that are the same of keys that are not', { a: 1, b: 1 }, [
      { a: 1, b: 1 },
      { a: 1, b: 2 },
      { a: 2, b: 1 },
      { a: 1 },
    ]),
    updatingInto('updateOne', (filter, update, db) => rows(db).updateOne(filter, update)),
    updatingInto('updateMany', (filter, update, db) => rows(db).updateMany(filter, update)),
    updatingInto('findOneAndUpdate', (filter, update, db) => rows(db).findOneAndUpdate(filter, update)),
    updatingInto('replaceOne', (filter, _update, db) => rows(db).replaceOne(filter, { a: 1 })),
    updatingInto('an upsert that inserts', (_filter, _update, db) =>
      rows(db).updateOne({ b: 5 }, { $set: { a: 1 } }, { upsert: true }),
    ),
    {
      name: 'the _id',
      expected: {
        code: 11000,
        keyPattern: { _id: 1 },
        keyValue: { _id: 1 },
      },
      run: async db => duplicate((await filled(db, [{ a: 1 }])).insertOne({ _id: 1 })),
    },
    {
      name: 'an _id as a double is the same as an int',
      expected: { code: 11000 },
      run: async db =>
        failure((await filled(db, [{ a: 1 }])).insertOne({ _id: new Double(1) as unknown as number })),
    },
    {
      name: 'a document may be updated without leaving its own keys',
      expected: [{ _id: 1, a: ['y', 'x', 'z'], n: 1 }],
      async run(db) {
        const collection = await filled(db, [{ a: ['x', 'y'] }])
        await collection.createIndex({ a: 1 }, { unique: true })
        await collection.updateOne({ a: 'x' }, { $set: { a: ['y', 'x', 'z'], n: 1 } })
        return collection.find({ a: 'z' }).toArray()
      },
    },
    {
      name: 'an update frees the old key and takes the new one',
      expected: ['inserted', { code: 11000 }],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }])
        await collection.createIndex({ a: 1 }, { unique: true })
        await collection.updateOne({ a: 1 }, { $set: { a: 2 } })
        await collection.insertOne({ _id: 5, a: 1 })
        return ['inserted', await failure(collection.insertOne({ _id: 6, a: 2 }))]
      },
    },
    {
      name: 'a refused insert takes no key of another unique index',
      expected: { code: 11000, stored: 2 },
      async run(db) {
        const collection = await filled(db, [{ a: 1, b: 1 }])
        await collection.createIndexes([
          { key: { b: 1 }, unique: true },
          { key: { a: 1 }, unique: true },
        ])
        const error = await failure(collection.insertOne({ _id: 2, b: 2, a: 1 }))
        await collection.insertOne({ _id: 3, b: 2, a: 3 })
        return { ...error, stored: await collection.countDocuments() }
      },
    },
    {
      name: 'a refused update leaves the other indexes as they were',
      expected: [{ code: 11000 }, [2], []],
      async run(db) {
        const collection = await filled(db, [
          { a: 1, n: 1 },
          { a: 2, n: 2 },
        ])
        await collection.createIndexes([{ key: { n: 1 } }, { key: { a: 1 }, unique: true }])
        const error = await failure(collection.updateOne({ _id: 2 }, { $set: { a: 1, n: 9 } }))
        return [
          error,
          ids(await collection.find({ n: 2 }).toArray()),
          ids(await collection.find({ n: 9 }).toArray()),
        ]
      },
    },
    {
      name: 'an ordered bulk stops at the first duplicate',
      expected: { inserted: 1, errors: [[1, 11000]], stored: [1] },
      async run(db) {
        const outcome = await rows(db)
          .insertMany([{ _id: 1 }, { _id: 1 }, { _id: 2 }])
          .catch(bulkError)
        return { ...outcome, stored: ids(await rows(db).find().sort({ _id: 1 }).toArray()) }
      },
    },
    {
      name: 'an unordered bulk tells every duplicate and stores the rest',
      expected: {
        inserted: 3,
        errors: [
          [1, 11000],
          [3, 11000],
        ],
        stored: [1, 2, 3],
      },
      async run(db) {
        const documents = [{ _id: 1 }, { _id: 1 }, { _id: 2 }, { _id: 2 }, { _id: 3 }]
        const outcome = await rows(db).insertMany(documents, { ordered: false }).catch(bulkError)
        return { ...outcome, stored: ids(await rows(db).find().sort({ _id: 1 }).toArray()) }
      },
    },
    {
      name: 'the write errors of a command carry index, pattern and value',
      expected: [
        { index: 1, code: 11000, keyPattern: { k: 1 }, keyValue: { k: 'x' } },
        { index: 3, code: 11000, keyPattern: { k: 1 }, keyValue: { k: 'y' } },
      ],
      async run(db) {
        await rows(db).createIndex({ k: 1 }, { unique: true })
        const documents = ['x', 'x', 'y', 'y'].map((k, index) => ({ _id: index, k }))
        const reply = await db.command({ insert: 'rows', documents, ordered: false })
        return (reply.writeErrors as Document[]).map(({ index, code, keyPattern, keyValue }) => ({
          index,
          code,
          keyPattern,
          keyValue,
        }))
      },
    },
    {
      name: 'updates in an unordered bulk each stand for themselves',
      expected: {
        inserted: 0,
        errors: [[0, 11000]],
        rows: [
          { _id: 1, k: 'x', n: 1 },
          { _id: 2, k: 'y' },
        ],
      },
      async run(db) {
        const collection = await filled(db, [{ k: 'x' }, { k: 'y' }])
        await collection.createIndex({ k: 1 }, { unique: true })
        const outcome = await collection
          .bulkWrite(
            [
              { updateOne: { filter: { _id: 2 }, update: { $set: { k: 'x' } } } },
              { updateOne: { filter: { _id: 1 }, update: { $set: { n: 1 } } } },
            ],
            { ordered: false },
          )
          .catch(bulkError)
        const rows = await collection.find().sort({ _id: 1 }).toArray()
        return { ...outcome, rows }
      },
    },
    {
      name: 'an update of many stops at a duplicate and keeps what it did before',
      expected: [{ code: 11000 }, [5, 2]],
      referenceFault: 'DocumentDB updates in a transaction',
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 2 }])
        await collection.createIndex({ a: 1 }, { unique: true })
        const error = await failure(collection.updateMany({}, { $set: { a: 5 } }))
        return [error, (await collection.find().sort({ _id: 1 }).toArray()).map(row => row.a as unknown)]
      },
    },
    {
      name: 'a unique index over data that breaks it is refused, and is not there then',
      expected: [{ code: 11000 }, ['_id_']],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 1 }])
        const error = await failure(collection.createIndex({ a: 1 }, { unique: true }))
        return [error, (await collection.indexes()).map(index => index.name)]
      },
    },
    {
      name: 'a dropped unique index no longer forbids',
      expected: 2,
      async run(db) {
        const collection = await filled(db, [{ a: 1 }])
        await collection.createIndex({ a: 1 }, { unique: true })
        await collection.dropIndex('a_1')
        await collection.insertOne({ _id: 2, a: 1 })
        return collection.countDocuments()
      },
    },
  ],
}

function bulkError(error: unknown): Document {
  if (!(error instanceof MongoBulkWriteError)) throw error
  const errors = [error.writeErrors].flat().map(({ index, code }) => [index, code])
  return { inserted: error.result.insertedCount, errors }
}
