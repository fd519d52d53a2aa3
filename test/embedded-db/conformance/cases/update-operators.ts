import { type Document, Double, Int32, Long } from 'mongodb'
import { updating } from '../builders.js'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { counts } from '../outcome.js'
import { filled, unchecked } from '../rows.js'

const long = (text: string) => Long.fromString(text)

/** Whether an update counts as a change of the one document it meets. */
function modifying(
  name: string,
  before: Document,
  update: Document,
  modifiedCount: number,
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected: { matchedCount: 1, modifiedCount, upsertedCount: 0 },
    ...marks,
    async run(db) {
      const collection = await filled(db, [before])
      return counts(await collection.updateOne({ _id: 1 }, update))
    },
  }
}

export const updateOperators: Subject = {
  subject: 'update operators',
  cases: [
    updating(
      '$set keeps the place of a field, and adds new ones by name',
      { b: 1, a: 1 },
      { $set: { z: 1, y: 1, b: 2 } },
      { b: 2, a: 1, y: 1, z: 1 },
      { referenceFault: 'DocumentDB adds fields in the order of the update' },
    ),
    updating(
      '$set makes the documents of a path',
      { a: 1 },
      { $set: { 'b.c.d': 1 } },
      { a: 1, b: { c: { d: 1 } } },
    ),
    updating(
      'a number in a path makes a field where there is no array',
      {},
      { $set: { 'a.0': 1 } },
      { a: { 0: 1 } },
    ),
    updating(
      '$set of a document replaces it',
      { a: { b: 1, c: 2 } },
      { $set: { a: { c: 3 } } },
      { a: { c: 3 } },
    ),
    updating(
      '$set of a field under an inherited name',
      {},
      { $set: { 'a.toString': 2, constructor: 1 } },
      { a: { toString: 2 }, constructor: 1 },
    ),
    updating(
      '$set changes the type of a number',
      { a: new Int32(1) },
      { $set: { a: new Double(1) } },
      { a: { $numberDouble: '1.0' } },
      { typed: true },
    ),
    updating(
      '$unset takes fields and nested fields',
      { a: 1, b: { c: 1, d: 1 } },
      { $unset: { a: '', 'b.c': '' } },
      { b: { d: 1 } },
    ),
    updating(
      '$unset of the last field leaves an empty document',
      { b: { c: 1 } },
      { $unset: { 'b.c': 1 } },
      { b: {} },
    ),
    updating(
      'int plus int is int',
      { a: new Int32(1) },
      { $inc: { a: new Int32(2) } },
      { a: { $numberInt: '3' } },
      { typed: true },
    ),
    updating(
      'int plus int becomes long when it no longer fits',
      { a: new Int32(2147483647) },
      { $inc: { a: new Int32(1) } },
      { a: { $numberLong: '2147483648' } },
      { typed: true },
    ),
    updating(
      'int plus long is long',
      { a: new Int32(1) },
      { $inc: { a: long('1') } },
      { a: { $numberLong: '2' } },
      { typed: true },
    ),
    updating(
      'long plus int stays long and exact',
      { a: long('9007199254740992') },
      { $inc: { a: 1 } },
      { a: { $numberLong: '9007199254740993' } },
      { typed: true },
    ),
    updating(
      'int plus double is double',
      { a: new Int32(1) },
      { $inc: { a: new Double(2) } },
      { a: { $numberDouble: '3.0' } },
      { typed: true },
    ),
    updating(
      'double plus int is double',
      { a: new Double(1) },
      { $inc: { a: new Int32(2) } },
      { a: { $numberDouble: '3.0' } },
      { typed: true },
    ),
    updating(
      '$inc of a missing field is the operand, with its type',
      {},
      { $inc: { a: long('5'), b: new Double(1) } },
      { a: { $numberLong: '5' }, b: { $numberDouble: '1.0' } },
      { typed: true },
    ),
    updating('$inc by a negative number', { a: { b: 5 } }, { $inc: { 'a.b': -7 } }, { a: { b: -2 } }),
    updating('$max and $min set what is missing', {}, { $max: { a: 1 }, $min: { b: 2 } }, { a: 1, b: 2 }),
    updating(
      '$max compares across types',
      { a: 5, b: 'x', c: null, d: new Date(0) },
      { $max: { a: 'a', b: 9, c: -1, d: 9 } },
      { a: 'a', b: 'x', c: -1, d: { $date: '1970-01-01T00:00:00Z' } },
    ),
    updating(
      '$min compares across types',
      { a: 5, b: 'x', c: -1 },
      { $min: { a: 'a', b: 9, c: null } },
      { a: 5, b: 9, c: null },
    ),
    updating(
      '$max of an equal number keeps the type',
      { a: new Int32(5) },
      { $max: { a: new Double(5) } },
      { a: { $numberInt: '5' } },
      { typed: true },
    ),
    updating(
      '$max of dates',
      { a: new Date(5) },
      { $max: { a: new Date(9) } },
      { a: { $date: '1970-01-01T00:00:00.009Z' } },
    ),
    updating(
      '$setOnInsert does nothing to what is there',
      { a: 1 },
      { $set: { a: 2 }, $setOnInsert: { b: 1 } },
      { a: 2 },
    ),
    updating('an operator without fields is accepted', { a: 1 }, { $set: {}, $inc: { a: 1 } }, { a: 2 }),
    updating('$push makes an array', {}, { $push: { a: 1 } }, { a: [1] }),
    updating('$push of an array is one element', { a: [1] }, { $push: { a: [2, 3] } }, { a: [1, [2, 3]] }),
    updating('$push of $each', { a: [1] }, { $push: { a: { $each: [2, [3]] } } }, { a: [1, 2, [3]] }),
    updating(
      '$push of $each of nothing makes an array',
      {},
      { $push: { a: { $each: [] } } },
      { a: [] },
      { referenceFault: 'DocumentDB leaves the field out' },
    ),
    updating(
      '$push keeps the last with a negative $slice',
      { a: [1, 2, 3] },
      { $push: { a: { $each: [4, 5], $slice: -3 } } },
      { a: [3, 4, 5] },
    ),
    updating('$push makes the path', {}, { $push: { 'a.b': 1 } }, { a: { b: [1] } }),
    updating(
      '$addToSet knows equal numbers',
      { a: [new Int32(1)] },
      { $addToSet: { a: new Double(1) } },
      { a: [1] },
    ),
    updating(
      '$addToSet tells documents by the order of their keys',
      { a: [{ x: 1, y: 2 }] },
      { $addToSet: { a: { y: 2, x: 1 } } },
      {
        a: [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      },
    ),
    updating(
      '$addToSet of $each adds each once',
      { a: [1] },
      { $addToSet: { a: { $each: [2, 1, 2, 3] } } },
      { a: [1, 2, 3] },
    ),
    updating(
      '$addToSet of an array is one element',
      { a: [1, 2] },
      { $addToSet: { a: [1, 2] } },
      { a: [1, 2, [1, 2]] },
    ),
    updating(
      '$addToSet leaves duplicates that are there',
      { a: [1, 1] },
      { $addToSet: { a: 2 } },
      { a: [1, 1, 2] },
    ),
    updating('$addToSet makes an array', {}, { $addToSet: { a: { $each: [1, 1] } } }, { a: [1] }),
    updating(
      '$addToSet of $each of nothing makes an array',
      {},
      { $addToSet: { a: { $each: [] } } },
      { a: [] },
      { referenceFault: 'DocumentDB leaves the field out' },
    ),
    updating('$pull of a value', { a: [1, 2, 1, '1', null] }, { $pull: { a: 1 } }, { a: [2, '1', null] }),
    updating('$pull of null', { a: [1, null] }, { $pull: { a: null } }, { a: [1] }),
    updating(
      '$pull of an array finds that array',
      { a: [[1, 2], [2, 1], 1, 2] },
      { $pull: { a: [1, 2] } },
      { a: [[2, 1], 1, 2] },
    ),
    updating('$pull of a missing field does nothing', { b: 1 }, { $pull: { a: 1 } }, { b: 1 }),
    updating(
      'several operators on one document at once',
      { n: 1, a: [1], d: { x: 1 } },
      { $inc: { n: 1 }, $push: { a: 2 }, $unset: { 'd.x': 1 }, $set: { 'd.y': 2 } },
      { n: 2, a: [1, 2], d: { y: 2 } },
    ),
    updating(
      'an entry under a key with digits only',
      { open: {} },
      { $set: { 'open.0123': { seconds: 60 } }, $inc: { calls: 1 } },
      { open: { '0123': { seconds: 60 } }, calls: 1 },
      { filter: { 'open.0123': { $exists: false } } },
    ),
    modifying('$set to the same value is no change', { a: { b: [1] } }, { $set: { a: { b: [1] } } }, 0),
    modifying(
      '$set to the same number in another type is a change',
      { a: new Int32(1) },
      { $set: { a: new Double(1) } },
      1,
    ),
    modifying(
      '$set of the same fields in another order is a change',
      { a: { x: 1, y: 2 } },
      { $set: { a: { y: 2, x: 1 } } },
      1,
    ),
    modifying('$inc by zero is no change', { a: 1 }, { $inc: { a: 0 } }, 0, {
      referenceFault: 'DocumentDB counts it as one',
    }),
    modifying('$unset of a missing field is no change', { a: 1 }, { $unset: { b: '' } }, 0),
    modifying('$addToSet of what is there is no change', { a: [1] }, { $addToSet: { a: 1 } }, 0),
    modifying('$pull of what is not there is no change', { a: [1] }, { $pull: { a: 2 } }, 0),
    modifying('$max of a smaller value is no change', { a: 5 }, { $max: { a: 4 } }, 0),
    modifying('$set of _id to itself is no change and no error', { a: 5 }, { $set: { _id: 1 } }, 0),
    {
      name: 'a replacement keeps the _id, and the order of its own fields',
      expected: { _id: 1, z: 1, a: 2 },
      async run(db) {
        const collection = await filled(db, [{ a: 1, b: 1 }])
        await collection.replaceOne({ b: 1 }, { z: 1, a: 2 })
        return collection.findOne()
      },
    },
    {
      name: 'a replacement by the same document is no change',
      referenceFault: 'DocumentDB counts every replacement',
      expected: { matchedCount: 1, modifiedCount: 0, upsertedCount: 0 },
      run: async db =>
        counts((await (await filled(db, [{ a: 1 }])).replaceOne({ a: 1 }, { a: 1 })) as Document),
    },
    {
      name: 'updateMany counts what it met and what it changed',
      expected: { matchedCount: 3, modifiedCount: 2, upsertedCount: 0 },
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 2 }, { a: 3 }, { b: 1 }])
        return counts(await collection.updateMany({ a: { $gt: 0 } }, { $set: { a: 2 } }))
      },
    },
    {
      name: 'an update of many meets each document once, though it moves them along the index it reads',
      expected: [30, 'each once', 30],
      async run(db) {
        const collection = await filled(
          db,
          Array.from({ length: 30 }, (_, n) => ({ n, list: [n] })),
        )
        await collection.createIndex({ n: 1 })
        await collection.createIndex({ list: 1 })
        const { modifiedCount } = await collection.updateMany(
          { n: { $gte: 0 } },
          { $inc: { n: 5, times: 1 } },
        )
        await collection.updateMany({ list: { $gte: 0 } }, unchecked({ $push: { list: 1000 } }))
        const found = await collection.find().toArray()
        const once = found.every(row => row.times === 1 && row.list.length === 2)
        return [modifiedCount, once ? 'each once' : found, await collection.countDocuments({ list: 1000 })]
      },
    },
    {
      name: 'updateOne changes one of several',
      expected: [1, 0],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 1 }])
        await collection.updateOne({ a: 1 }, { $set: { a: 0 } })
        return (await collection.find().toArray())
          .map(row => row.a as unknown)
          .sort()
          .reverse()
      },
    },
  ],
}
