import { type Db, type Document, type Filter, ObjectId, type UpdateFilter } from 'mongodb'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { counts, duplicate, failure } from '../outcome.js'
import { filled, type Row, rows } from '../rows.js'

/** What an upsert inserts into an empty collection; `expected` is without the `_id`, unless the case sets one. */
function inserting(
  name: string,
  filter: Document,
  update: Document | Document[],
  expected: unknown,
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db: Db) {
      await rows(db).updateOne(filter as Filter<Row>, update as UpdateFilter<Row>, { upsert: true })
      const row = await rows(db).findOne()
      if (row === null) return null
      const { _id, ...others } = row
      return (_id as unknown) instanceof ObjectId ? others : row
    },
  }
}

/** An upsert that MongoDB refuses with this code, storing nothing. */
function refusedInsert(
  name: string,
  filter: Document,
  update: Document,
  code: number,
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected: { code, stored: 0 },
    ...marks,
    async run(db) {
      const upsert = rows(db).updateOne(filter as Filter<Row>, update as UpdateFilter<Row>, { upsert: true })
      const outcome = await failure(upsert)
      return { ...outcome, stored: await rows(db).countDocuments() }
    },
  }
}

export const upserts: Subject = {
  subject: 'upserts',
  cases: [
    inserting(
      'equalities of the filter are taken',
      { a: 1, b: 'x' },
      { $set: { c: 2 } },
      { a: 1, b: 'x', c: 2 },
    ),
    inserting('$eq is an equality', { a: { $eq: 5 } }, { $set: { c: 2 } }, { a: 5, c: 2 }),
    inserting(
      'equalities inside $and are taken',
      { $and: [{ a: 1 }, { b: 2 }], c: 3 },
      { $set: { d: 4 } },
      { a: 1, b: 2, c: 3, d: 4 },
    ),
    inserting(
      'a dotted equality makes a nested document',
      { 'a.b': 1, 'a.c': 2 },
      { $set: { d: 1 } },
      { a: { b: 1, c: 2 }, d: 1 },
    ),
    inserting(
      'a dotted equality with a number makes a field',
      { 'a.0': 1 },
      { $set: { d: 1 } },
      { a: { 0: 1 }, d: 1 },
    ),
    inserting(
      'ranges, $ne, $exists, $in and expressions are not taken',
      {
        a: { $gt: 1 },
        b: { $ne: 2 },
        c: { $exists: false },
        d: { $in: [1, 2] },
        e: { $not: { $gt: 1 } },
      },
      { $set: { z: 1 } },
      { z: 1 },
    ),
    inserting('$or of several is not taken', { $or: [{ a: 1 }, { b: 2 }] }, { $set: { z: 1 } }, { z: 1 }),
    inserting(
      'a single value of $in or $or is an equality',
      { a: { $in: [1] }, $or: [{ c: 3 }] },
      { $set: { d: 4 } },
      { a: 1, c: 3, d: 4 },
    ),
    inserting(
      'a dotted _id makes a document of it',
      { '_id.x': 1, '_id.y': 2 },
      { $set: { a: 1 } },
      { _id: { x: 1, y: 2 }, a: 1 },
    ),
    inserting('null is an equality', { a: null }, { $set: { z: 1 } }, { a: null, z: 1 }),
    inserting('an array is an equality', { a: [1, 2] }, { $set: { z: 1 } }, { a: [1, 2], z: 1 }),
    inserting(
      'a document is an equality',
      { a: { x: 1, y: 2 } },
      { $set: { 'a.y': 3 } },
      { a: { x: 1, y: 3 } },
    ),
    inserting('the update works on what the filter gave', { a: 5 }, { $inc: { a: 1 } }, { a: 6 }),
    inserting('the update overrides what the filter gave', { a: 5 }, { $set: { a: 9 } }, { a: 9 }),
    inserting(
      '$setOnInsert and $set both',
      { a: 1 },
      { $set: { b: 2 }, $setOnInsert: { c: 3 } },
      { a: 1, b: 2, c: 3 },
    ),
    inserting('$unset of what the filter gave', { a: 1, b: 2 }, { $unset: { b: 1 } }, { a: 1 }),
    inserting('$push starts an array', { a: 1 }, { $push: { b: { $each: [1, 2] } } }, { a: 1, b: [1, 2] }),
    inserting('$min and $max set', { a: 1 }, { $min: { b: 1 }, $max: { c: 2 } }, { a: 1, b: 1, c: 2 }),
    inserting('the _id of the filter', { _id: 'k', n: { $lt: 5 } }, { $inc: { n: 1 } }, { _id: 'k', n: 1 }),
    inserting('the _id by $setOnInsert', { a: 1 }, { $setOnInsert: { _id: 'k' } }, { _id: 'k', a: 1 }),
    inserting('the _id comes first', { b: 1, _id: 'k' }, { $set: { a: 1 } }, { _id: 'k', b: 1, a: 1 }),
    inserting(
      'an entry that must not be there yet',
      { _id: 'u:1', 'open.h1': { $exists: false }, calls: { $not: { $gte: 3 } } },
      { $inc: { calls: 1 }, $set: { 'open.h1': { seconds: 60 } } },
      { _id: 'u:1', calls: 1, open: { h1: { seconds: 60 } } },
    ),
    inserting(
      'a pipeline starts from what the filter gave',
      { a: 1 },
      [{ $set: { b: { $add: ['$a', 1] }, c: { $ifNull: ['$c', 'new'] } } }],
      { a: 1, b: 2, c: 'new' },
    ),
    refusedInsert(
      'a document for a path, and a field of it',
      { a: { x: 1 }, 'a.y': 1 },
      { $set: { b: 1 } },
      54,
    ),
    refusedInsert('two equalities for one path', { $and: [{ a: 1 }, { a: 2 }] }, { $set: { b: 1 } }, 54),
    refusedInsert(
      'an equality for a path and for its parent',
      { a: { b: 1 }, 'a.b': 1 },
      { $set: { c: 1 } },
      54,
    ),
    refusedInsert(
      'an operator that cannot work on what the filter gave',
      { a: 'x' },
      { $inc: { a: 1 } },
      14,
      { referenceFault: 'DocumentDB has a code of its own' },
    ),
    refusedInsert('an _id that is an array', { _id: [1] }, { $set: { a: 1 } }, 53, {
      referenceFault: 'DocumentDB calls it a bad value',
    }),
    {
      name: 'a replacement takes only the _id of the filter',
      expected: { _id: 'k', b: 2 },
      async run(db) {
        await rows(db).replaceOne({ _id: 'k', a: 1 }, { b: 2 }, { upsert: true })
        return rows(db).findOne()
      },
    },
    {
      name: 'a replacement does not mind two equalities for one path',
      expected: { _id: 'k', b: 1 },
      async run(db) {
        await rows(db).replaceOne({ _id: 'k', $and: [{ a: 1 }, { a: 2 }] }, { b: 1 }, { upsert: true })
        return rows(db).findOne()
      },
    },
    {
      name: 'the result of an insert carries a new ObjectId',
      expected: { matchedCount: 0, modifiedCount: 0, upsertedCount: 1, id: 'ObjectId', stored: true },
      async run(db) {
        const result = await rows(db).updateOne({ a: 1 }, { $set: { b: 1 } }, { upsert: true })
        const row = await rows(db).findOne()
        return {
          ...counts(result),
          id: (result.upsertedId as Document | null)?._bsontype as unknown,
          stored: String(row?._id) === String(result.upsertedId),
        }
      },
    },
    {
      name: 'the result of a match has no upserted _id',
      expected: { matchedCount: 1, modifiedCount: 0, upsertedCount: 0, id: null },
      async run(db) {
        const collection = await filled(db, [{ a: 1 }])
        const result = await collection.updateOne({ a: 1 }, { $setOnInsert: { b: 1 } }, { upsert: true })
        return { ...counts(result), id: result.upsertedId }
      },
    },
    {
      name: 'an upsert of many inserts one',
      expected: { matchedCount: 0, modifiedCount: 0, upsertedCount: 1 },
      run: async db => counts(await rows(db).updateMany({ a: 1 }, { $set: { b: 1 } }, { upsert: true })),
    },
    {
      name: 'a condition that fails on an existing _id runs into the _id index',
      referenceFault: 'DocumentDB has no keyValue in errors of updates',
      expected: {
        code: 11000,
        keyPattern: { _id: 1 },
        keyValue: { _id: 'p' },
      },
      async run(db) {
        await filled(db, [{ _id: 'p', calls: 10 }])
        return duplicate(
          rows(db).updateOne({ _id: 'p', calls: { $lt: 10 } }, { $inc: { calls: 1 } }, { upsert: true }),
        )
      },
    },
    {
      name: 'the reply of the command names the index and the _id of each insert',
      expected: {
        n: 3,
        nModified: 1,
        upserted: [
          { index: 1, _id: 'x' },
          { index: 2, _id: 'y' },
        ],
        ok: 1,
      },
      async run(db) {
        await filled(db, [{ _id: 'a' }])
        const statement = (_id: string) => ({ q: { _id }, u: { $set: { n: 1 } }, upsert: true })
        const { n, nModified, upserted, ok } = await db.command({
          update: 'rows',
          updates: [statement('a'), statement('x'), statement('y')],
        })
        return { n, nModified, upserted, ok }
      },
    },
    {
      name: 'the order of what is inserted: _id, filter, update',
      referenceFault: 'DocumentDB adds fields in the order of the update',
      expected: ['_id', 'a', 'b', 'c', 'd'],
      async run(db) {
        await rows(db).updateOne({ a: 1, b: 1 }, { $set: { d: 1, c: 1 } }, { upsert: true })
        return Object.keys((await rows(db).findOne()) ?? {})
      },
    },
    {
      name: 'findOneAndUpdate returns null before and the document after an insert',
      expected: [null, { _id: 2, n: 1 }],
      async run(db) {
        const before = await rows(db).findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, { upsert: true })
        const after = await rows(db).findOneAndUpdate(
          { _id: 2 },
          { $inc: { n: 1 } },
          { upsert: true, returnDocument: 'after' },
        )
        return [before, after]
      },
    },
  ],
}
