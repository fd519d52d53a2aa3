import type { Subject } from '../conformance-case.js'
import { commandFailure } from '../outcome.js'
import { filled, ids, rows } from '../rows.js'

export const deletes: Subject = {
  subject: 'deletes',
  cases: [
    {
      name: 'deleteMany counts, and an array matches by an element',
      expected: [2, [2]],
      async run(db) {
        const collection = await filled(db, [{ a: [1, 2] }, { a: 2 }, { a: 1 }])
        return [(await collection.deleteMany({ a: 1 })).deletedCount, ids(await collection.find().toArray())]
      },
    },
    {
      name: 'deleteOne takes one of several',
      expected: [1, 1],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 1 }])
        return [(await collection.deleteOne({ a: 1 })).deletedCount, await collection.countDocuments()]
      },
    },
    {
      name: 'a delete through an index on the deleted field',
      expected: [3, [4]],
      async run(db) {
        const collection = await filled(db, [{ a: [1, 5] }, { a: 2 }, { a: 3 }, { a: 9 }])
        await collection.createIndex({ a: 1 })
        return [
          (await collection.deleteMany({ a: { $lt: 5 } })).deletedCount,
          ids(await collection.find().toArray()),
        ]
      },
    },
    {
      name: 'a delete where there is no collection',
      expected: 0,
      run: async db => (await rows(db).deleteMany({})).deletedCount,
    },
    {
      name: 'a delete of many through an index with arrays counts each document once',
      expected: [2, [3]],
      async run(db) {
        const collection = await filled(db, [{ a: [1, 2, 3] }, { a: [2, 4] }, { a: [9] }])
        await collection.createIndex({ a: 1 })
        return [
          (await collection.deleteMany({ a: { $lt: 5 } })).deletedCount,
          ids(await collection.find().toArray()),
        ]
      },
    },
    {
      name: 'several deletes in one command, each with its limit',
      expected: { n: 3, ok: 1, left: [2] },
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 1 }, { a: 2 }, { a: 2 }])
        const deletes = [
          { q: { a: 1 }, limit: 1 },
          { q: { a: 2 }, limit: 0 },
        ]
        const { n, ok } = await db.command({ delete: 'rows', deletes })
        return { n, ok, left: ids(await collection.find().toArray()) }
      },
    },
    {
      name: 'a limit other than 0 and 1 is refused',
      expected: { code: 9, left: 1 },
      async run(db) {
        const collection = await filled(db, [{ a: 1 }])
        const outcome = await commandFailure(db, { delete: 'rows', deletes: [{ q: {}, limit: 2 }] })
        return { ...outcome, left: await collection.countDocuments() }
      },
    },
    {
      name: 'a delete without a limit is refused',
      expected: { code: 40414, left: 1 },
      async run(db) {
        const collection = await filled(db, [{ a: 1 }])
        const outcome = await commandFailure(db, { delete: 'rows', deletes: [{ q: {} }] })
        return { ...outcome, left: await collection.countDocuments() }
      },
    },
    {
      name: 'a deleted unique key is free again, and so is its _id',
      expected: [{ _id: 1, k: 'x', n: 2 }],
      async run(db) {
        const collection = await filled(db, [{ k: 'x', n: 1 }])
        await collection.createIndex({ k: 1 }, { unique: true })
        await collection.deleteOne({ k: 'x' })
        await collection.insertOne({ _id: 1, k: 'x', n: 2 })
        return collection.find({ k: 'x' }).toArray()
      },
    },
    {
      name: 'findOneAndDelete takes the first of the sort',
      expected: [{ _id: 2, at: 1 }, [1, 3]],
      async run(db) {
        const collection = await filled(db, [{ at: 3 }, { at: 1 }, { at: 2 }])
        return [
          await collection.findOneAndDelete({}, { sort: { at: 1 } }),
          ids(await collection.find().sort({ _id: 1 }).toArray()),
        ]
      },
    },
  ],
}
