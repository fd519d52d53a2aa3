import type { Document } from 'mongodb'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { duplicate, failure } from '../outcome.js'
import { filled, rows } from '../rows.js'

const three = [
  { _id: 'a', n: 1, k: 3, list: [{ x: 1 }, { x: 2 }] },
  { _id: 'b', n: 2, k: 2, list: [] },
  { _id: 'c', n: 3, k: 1, list: [] },
]

/** The reply to a findAndModify command over three documents. */
function modifying(name: string, command: Document, expected: Document, marks: Marks = {}): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      await filled(db, three)
      const { lastErrorObject, value, ok } = await db.command({ findAndModify: 'rows', ...command })
      return { lastErrorObject, value, ok }
    },
  }
}

const refused = (name: string, command: Document, code: number): ConformanceCase => ({
  name,
  expected: { code },
  run: async db => {
    await filled(db, three)
    return failure(db.command({ findAndModify: 'rows', ...command }))
  },
})

export const findAndModify: Subject = {
  subject: 'find and modify',
  cases: [
    modifying(
      'an update returns the document before it',
      { query: { _id: 'b' }, update: { $inc: { n: 1 } }, fields: { n: 1 } },
      { lastErrorObject: { n: 1, updatedExisting: true }, value: { _id: 'b', n: 2 }, ok: 1 },
    ),
    modifying(
      'an update returns the document after it when told so',
      { query: { _id: 'b' }, update: { $inc: { n: 1 } }, new: true, fields: { n: 1 } },
      { lastErrorObject: { n: 1, updatedExisting: true }, value: { _id: 'b', n: 3 }, ok: 1 },
    ),
    modifying(
      'an update that finds nothing',
      { query: { _id: 'z' }, update: { $inc: { n: 1 } }, new: true },
      { lastErrorObject: { n: 0, updatedExisting: false }, value: null, ok: 1 },
    ),
    modifying(
      'an update that changes nothing still found one',
      { query: { _id: 'b' }, update: { $set: { n: 2 } }, fields: { n: 1 } },
      { lastErrorObject: { n: 1, updatedExisting: true }, value: { _id: 'b', n: 2 }, ok: 1 },
      { referenceFault: 'DocumentDB counts changes, not matches' },
    ),
    modifying(
      'an upsert returns null before',
      { query: { _id: 'z' }, update: { $inc: { n: 1 } }, upsert: true },
      { lastErrorObject: { n: 1, updatedExisting: false, upserted: 'z' }, value: null, ok: 1 },
    ),
    modifying(
      'an upsert returns the inserted document after',
      { query: { _id: 'z', k: 9 }, update: { $inc: { n: 1 } }, upsert: true, new: true },
      {
        lastErrorObject: { n: 1, updatedExisting: false, upserted: 'z' },
        value: { _id: 'z', k: 9, n: 1 },
        ok: 1,
      },
    ),
    modifying(
      'a remove returns the document',
      { query: { _id: 'c' }, remove: true, fields: { k: 1, _id: 0 } },
      { lastErrorObject: { n: 1 }, value: { k: 1 }, ok: 1 },
    ),
    modifying(
      'a remove that finds nothing',
      { query: { _id: 'z' }, remove: true },
      { lastErrorObject: { n: 0 }, value: null, ok: 1 },
    ),
    modifying(
      'a sort picks the document',
      { query: {}, sort: { k: 1 }, update: { $set: { n: 0 } }, fields: { _id: 1 } },
      { lastErrorObject: { n: 1, updatedExisting: true }, value: { _id: 'c' }, ok: 1 },
    ),
    modifying(
      'a descending sort picks the document to remove',
      { query: { n: { $lt: 3 } }, sort: { n: -1 }, remove: true, fields: { _id: 1 } },
      { lastErrorObject: { n: 1 }, value: { _id: 'b' }, ok: 1 },
    ),
    modifying(
      'a replacement keeps the _id',
      { query: { _id: 'b' }, update: { x: 1 }, new: true },
      { lastErrorObject: { n: 1, updatedExisting: true }, value: { _id: 'b', x: 1 }, ok: 1 },
    ),
    modifying(
      'a pipeline',
      {
        query: { _id: 'b' },
        update: [{ $set: { n: { $multiply: ['$n', 10] } } }, { $replaceWith: { _id: '$_id', n: '$n' } }],
        new: true,
      },
      { lastErrorObject: { n: 1, updatedExisting: true }, value: { _id: 'b', n: 20 }, ok: 1 },
    ),
    refused('an update and a remove', { query: {}, update: { $set: { a: 1 } }, remove: true }, 9),
    refused('a remove that returns the new document', { query: {}, remove: true, new: true }, 9),
    refused('a remove that upserts', { query: {}, remove: true, upsert: true }, 9),
    refused('a failing operator', { query: { _id: 'a' }, update: { $inc: { list: 1 } } }, 14),
    refused('a changed _id', { query: { _id: 'a' }, update: { $set: { _id: 'q' } } }, 66),
    {
      name: 'a duplicate key tells its pattern and value',
      referenceFault: 'DocumentDB has no keyValue in errors of updates',
      expected: {
        code: 11000,
        keyPattern: { n: 1 },
        keyValue: { n: 2 },
      },
      async run(db) {
        const collection = await filled(db, three)
        await collection.createIndex({ n: 1 }, { unique: true })
        return duplicate(collection.findOneAndUpdate({ _id: 'a' }, { $set: { n: 2 } }))
      },
    },
    {
      name: 'a token is consumed once',
      expected: [{ _id: 1, token: 'h', email: 'x' }, null, { _id: 1, email: 'x', used: true }],
      async run(db) {
        const collection = await filled(db, [{ token: 'h', email: 'x' }])
        const consume = () =>
          collection.findOneAndUpdate({ token: 'h' }, { $unset: { token: '' }, $set: { used: true } })
        return [await consume(), await consume(), await collection.findOne()]
      },
    },
    {
      name: 'a limit of three admits three: one entry each, the period upserted',
      referenceFault: 'DocumentDB adds fields in the order of the update',
      expected: {
        admitted: [true, true, false, true, false],
        period: {
          _id: 'u:2026',
          calls: 3,
          open: { h1: { seconds: 60 }, h2: { seconds: 60 }, h3: { seconds: 60 } },
          seconds: 180,
        },
      },
      async run(db) {
        const admitted: boolean[] = []
        for (const hash of ['h1', 'h2', 'h2', 'h3', 'h4']) {
          const entry = `open.${hash}`
          const admission = rows(db).findOneAndUpdate(
            {
              _id: 'u:2026',
              [entry]: { $exists: false },
              calls: { $not: { $gte: 3 } },
              seconds: { $not: { $gte: 600 } },
            },
            { $inc: { calls: 1, seconds: 60 }, $set: { [entry]: { seconds: 60 } } },
            { upsert: true, returnDocument: 'after' },
          )
          admitted.push(
            await admission.then(
              row => row !== null,
              error => error.code !== 11000,
            ),
          )
        }
        return { admitted, period: await rows(db).findOne() }
      },
    },
    {
      name: 'compare-and-set on an entry, which then goes',
      expected: [null, { _id: 1, seconds: 130, open: {} }],
      async run(db) {
        const collection = await filled(db, [{ seconds: 100, open: { h: { seconds: 60 } } }])
        const move = (seen: number) =>
          collection.findOneAndUpdate(
            { 'open.h.seconds': seen },
            { $inc: { seconds: 30 }, $unset: { 'open.h': '' } },
            { returnDocument: 'after' },
          )
        return [await move(59), await move(60)]
      },
    },
  ],
}
