import { Long } from 'mongodb'
import { refusedUpdate } from '../builders.js'
import type { Subject } from '../conformance-case.js'
import { failure } from '../outcome.js'
import { filled } from '../rows.js'

export const updateErrors: Subject = {
  subject: 'update errors',
  cases: [
    refusedUpdate('$inc of a string', { a: 'x' }, { $inc: { a: 1 } }, 14),
    refusedUpdate('$inc of null', { a: null }, { $inc: { a: 1 } }, 14),
    refusedUpdate('$inc by a string', { a: 1 }, { $inc: { a: '1' } }, 14),
    refusedUpdate('$inc beyond a long', { a: Long.MAX_VALUE }, { $inc: { a: 1 } }, 2),
    refusedUpdate('a path through a scalar', { a: 1 }, { $set: { 'a.b': 1 } }, 28),
    refusedUpdate('a path through null', { a: null }, { $set: { 'a.b': 1 } }, 28),
    refusedUpdate('$inc through a string', { a: 'x' }, { $inc: { 'a.b': 1 } }, 28),
    refusedUpdate('the same path in two operators', { a: 1 }, { $set: { a: 1 }, $inc: { a: 1 } }, 40),
    refusedUpdate('a path and its parent', { a: {} }, { $set: { a: {}, 'a.b': 1 } }, 40),
    refusedUpdate(
      'a path and its parent in two operators',
      { a: {} },
      { $set: { 'a.b': 1 }, $unset: { a: 1 } },
      40,
    ),
    refusedUpdate('$set of another _id', { a: 1 }, { $set: { _id: 2 } }, 66),
    refusedUpdate('$unset of _id', { a: 1 }, { $unset: { _id: 1 } }, 66),
    refusedUpdate('$inc of _id', { a: 1 }, { $inc: { _id: 1 } }, 66),
    refusedUpdate('a replacement with another _id', { a: 1 }, { _id: 2, a: 2 }, 66),
    refusedUpdate('a pipeline that changes _id', { a: 1 }, [{ $set: { _id: 2 } }], 66),
    refusedUpdate('a field beside operators', { a: 1 }, { $set: { a: 2 }, b: 1 }, 9),
    refusedUpdate('an operator without a document', { a: 1 }, { $set: 5 }, 9),
    refusedUpdate('a replacement of many', { a: 1 }, { a: 2 }, 9, { options: { multi: true } as object }),
    refusedUpdate('$push to a string', { a: 'x' }, { $push: { a: 1 } }, 2),
    refusedUpdate('$push to null', { a: null }, { $push: { a: 1 } }, 2),
    refusedUpdate('$addToSet to a string', { a: 'x' }, { $addToSet: { a: 1 } }, 2),
    refusedUpdate('$addToSet of $each without an array', { a: [] }, { $addToSet: { a: { $each: 1 } } }, 14),
    refusedUpdate('$pull from a string', { a: 'x' }, { $pull: { a: 1 } }, 2),
    refusedUpdate('$pull through a scalar', { a: 1 }, { $pull: { 'a.b': 1 } }, 28),
    refusedUpdate(
      'one failing operator undoes the others',
      { a: 1, b: 'x' },
      { $set: { a: 2 }, $inc: { b: 1 } },
      14,
    ),
    {
      name: 'a document must not outgrow 16 MB',
      expected: { refused: true, size: 10_000_000 },
      async run(db) {
        const collection = await filled(db, [{ a: 'x'.repeat(10_000_000) }])
        const outcome = await failure(collection.updateOne({}, { $set: { b: 'x'.repeat(10_000_000) } }))
        const row = await collection.findOne()
        return {
          refused: 'code' in outcome,
          size: String(row?.a).length + String(row?.b ?? '').length,
        }
      },
    },
    {
      name: 'an update of many stops at the first that fails, and keeps those before',
      referenceFault: 'DocumentDB updates in a transaction',
      expected: { code: 14, changed: [2, 'x', 1] },
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 'x' }, { a: 1 }])
        const outcome = await failure(collection.updateMany({}, { $inc: { a: 1 } }))
        return {
          ...outcome,
          changed: (await collection.find().sort({ _id: 1 }).toArray()).map(row => row.a as unknown),
        }
      },
    },
  ],
}
