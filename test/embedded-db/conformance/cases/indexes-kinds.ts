import { setTimeout as pause } from 'node:timers/promises'
import type { CreateIndexesOptions, Document, IndexSpecification } from 'mongodb'
import { matching } from '../builders.js'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { failure } from '../outcome.js'
import { filled, ids, rows, unchecked } from '../rows.js'

/** Which of some inserts an index with these options lets in: true, or the code of the refusal. */
function admitting(
  name: string,
  keys: IndexSpecification,
  options: CreateIndexesOptions,
  documents: Document[],
  expected: unknown[],
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      await rows(db).createIndex(keys, options)
      const answers: unknown[] = []
      for (const [index, document] of documents.entries()) {
        const outcome = await failure(rows(db).insertOne({ _id: index + 1, ...document }))
        answers.push('succeeded' in outcome || (outcome.code as unknown))
      }
      return answers
    },
  }
}

/** An index that must not change which documents a filter finds, though it does not hold them all. */
function answering(
  name: string,
  keys: IndexSpecification,
  options: CreateIndexesOptions,
  documents: Document[],
  filter: Document,
  expected: unknown[],
): ConformanceCase {
  return {
    name,
    expected: [expected, expected.length],
    async run(db) {
      const collection = await filled(db, documents)
      await collection.createIndex(keys, options)
      return [
        ids(await collection.find(filter).sort({ _id: 1 }).toArray()),
        await collection.countDocuments(filter),
      ]
    },
  }
}

const refused = (
  name: string,
  keys: Document,
  options: Document,
  code: number,
  marks: Marks = {},
): ConformanceCase => ({
  name,
  expected: { code },
  ...marks,
  run: async db =>
    failure(db.command({ createIndexes: 'rows', indexes: [{ key: keys, name: 'an_index', ...options }] })),
})

/** What is left of documents under a TTL index on `at`, once one that expired long ago is gone. */
function expiring(
  name: string,
  seconds: number,
  documents: Document[],
  expected: unknown[],
  options: CreateIndexesOptions = {},
): ConformanceCase {
  return {
    name,
    expected,
    embeddedOnly: true,
    async run(db) {
      const collection = await filled(db, documents)
      await collection.createIndex({ at: 1 }, { expireAfterSeconds: seconds, ...options })
      await collection.insertOne({ _id: 'control', at: new Date(0), state: 'done' })
      for (
        let tries = 0;
        tries < 200 && (await collection.countDocuments({ _id: 'control' })) > 0;
        tries += 1
      )
        await pause(50)
      return ids(await collection.find().sort({ _id: 1 }).toArray())
    },
  }
}

const hour = 3_600_000
const everyValue = [{ a: 1 }, { a: null }, {}, { a: 'x' }, { a: [] }, { a: [1] }]

export const indexesKinds: Subject = {
  subject: 'partial, sparse, multikey and TTL indexes',
  cases: [
    admitting(
      'a sparse unique index lets in many without the field, and one null',
      { a: 1 },
      { unique: true, sparse: true },
      [{}, { b: 1 }, { a: null }, { a: null }, { a: 1 }, { a: 1 }],
      [true, true, true, 11000, true, 11000],
    ),
    admitting(
      'a compound sparse index holds what has any of its fields',
      { a: 1, b: 1 },
      { unique: true, sparse: true },
      [{}, {}, { a: 1 }, { a: 1 }, { b: 1 }, { b: 1 }],
      [true, true, true, 11000, true, 11000],
    ),
    admitting(
      'a partial unique index forbids only where its filter holds',
      { k: 1 },
      { unique: true, partialFilterExpression: { k: { $gte: '' } } },
      [{ k: null }, {}, { k: null }, { k: 5 }, { k: 5 }, { k: 'x' }, { k: 'x' }],
      [true, true, true, true, true, true, 11000],
    ),
    admitting(
      'a partial unique index by another field',
      { k: 1 },
      { unique: true, partialFilterExpression: { live: true } },
      [{ k: 1, live: true }, { k: 1, live: false }, { k: 1 }, { k: 1, live: true }],
      [true, true, true, 11000],
    ),
    admitting(
      'a partial unique index by a range',
      { k: 1 },
      { unique: true, partialFilterExpression: { n: { $gt: 5 } } },
      [
        { k: 1, n: 1 },
        { k: 1, n: 9 },
        { k: 1, n: 5 },
        { k: 1, n: 10 },
      ],
      [true, true, true, 11000],
    ),
    admitting(
      'domains: unique where there is one, each project may have none',
      { domains: 1 },
      { unique: true, partialFilterExpression: { 'domains.0': { $exists: true } } },
      [
        { domains: [] },
        { domains: [] },
        {},
        { domains: ['a', 'b'] },
        { domains: ['c', 'b'] },
        { domains: ['c'] },
      ],
      [true, true, true, true, 11000, true],
    ),
    admitting(
      'an empty array is a key of its own, null and missing are another',
      { a: 1 },
      { unique: true },
      [{ a: [] }, { a: null }, { a: [] }, {}],
      [true, true, 11000, 11000],
    ),
    admitting(
      'two arrays under one index are refused',
      { a: 1, b: 1 },
      {},
      [
        { a: [1], b: 1 },
        { a: 1, b: [1, 2] },
        { a: [1], b: [2] },
        { a: [1], b: [] },
      ],
      [true, true, 171, 171],
      { referenceFault: 'DocumentDB indexes two arrays' },
    ),
    admitting(
      'two paths through one array are one array',
      { 'a.x': 1, 'a.y': 1 },
      {},
      [{ a: [{ x: 1, y: 2 }, { x: 3 }] }, { a: [{ x: [1], y: 2 }] }, { a: [{ x: [1], y: [2] }] }],
      [true, true, 171],
      { referenceFault: 'DocumentDB indexes two arrays' },
    ),
    {
      name: 'an update into and out of a partial unique index',
      expected: [{ code: 11000 }, 1, 1],
      async run(db) {
        const collection = await filled(db, [
          { k: 'x', live: true },
          { k: 'x', live: false },
        ])
        await collection.createIndex({ k: 1 }, { unique: true, partialFilterExpression: { live: true } })
        const into = await failure(collection.updateOne({ _id: 2 }, { $set: { live: true } }))
        const out = await collection.updateOne({ _id: 1 }, { $unset: { live: '' } })
        const then = await collection.updateOne({ _id: 2 }, { $set: { live: true } })
        return [into, out.modifiedCount, then.modifiedCount]
      },
    },
    {
      name: 'domains given from one project to another',
      expected: [{ code: 11000 }, 1, 1],
      async run(db) {
        const collection = await filled(db, [{ domains: ['a', 'b'] }, { domains: [] }])
        await collection.createIndex(
          { domains: 1 },
          { unique: true, partialFilterExpression: { 'domains.0': { $exists: true } } },
        )
        const taken = await failure(collection.updateOne({ _id: 2 }, { $set: { domains: ['b'] } }))
        const given = await collection.updateOne({ _id: 1 }, unchecked({ $pull: { domains: 'b' } }))
        const then = await collection.updateOne({ _id: 2 }, { $set: { domains: ['b'] } })
        return [taken, given.modifiedCount, then.modifiedCount]
      },
    },
    {
      name: 'an update into two arrays under one index is refused',
      referenceFault: 'DocumentDB indexes two arrays',
      expected: [{ code: 171 }, [{ _id: 1, a: [1], b: 2 }]],
      async run(db) {
        const collection = await filled(db, [{ a: [1], b: 2 }])
        await collection.createIndex({ a: 1, b: 1 })
        return [
          await failure(collection.updateOne({}, { $set: { b: [2] } })),
          await collection.find({ a: 1 }).toArray(),
        ]
      },
    },
    {
      name: 'an index over data with two arrays is refused',
      referenceFault: 'DocumentDB indexes two arrays',
      expected: [{ code: 171 }, ['_id_']],
      async run(db) {
        const collection = await filled(db, [{ a: [1], b: [2] }])
        return [
          await failure(collection.createIndex({ a: 1, b: 1 })),
          (await collection.indexes()).map(index => index.name),
        ]
      },
    },
    answering(
      'a sparse index does not answer for null',
      { a: 1 },
      { sparse: true },
      everyValue,
      { a: null },
      [2, 3],
    ),
    answering(
      'a sparse index does not answer for what is not there',
      { a: 1 },
      { sparse: true },
      everyValue,
      { a: { $exists: false } },
      [3],
    ),
    answering(
      'a sparse index does not answer for $ne',
      { a: 1 },
      { sparse: true },
      everyValue,
      { a: { $ne: 1 } },
      [2, 3, 4, 5],
    ),
    answering(
      'a sparse index does not answer for an empty filter',
      { a: 1 },
      { sparse: true },
      everyValue,
      {},
      [1, 2, 3, 4, 5, 6],
    ),
    answering('a sparse index answers for a value', { a: 1 }, { sparse: true }, everyValue, { a: 1 }, [1, 6]),
    answering(
      'a partial index does not answer beyond its filter',
      { a: 1 },
      { partialFilterExpression: { n: { $gt: 5 } } },
      [{ a: 1, n: 1 }, { a: 1, n: 9 }, { a: 1 }],
      { a: 1 },
      [1, 2, 3],
    ),
    answering(
      'a partial index does not answer for a wider range',
      { a: 1 },
      { partialFilterExpression: { n: { $gt: 5 } } },
      [
        { a: 1, n: 4 },
        { a: 1, n: 9 },
      ],
      { a: 1, n: { $gt: 3 } },
      [1, 2],
    ),
    answering(
      'a partial index answers for a narrower range',
      { a: 1 },
      { partialFilterExpression: { n: { $gt: 5 } } },
      [
        { a: 1, n: 6 },
        { a: 1, n: 9 },
      ],
      { a: 1, n: { $gt: 7 } },
      [2],
    ),
    answering(
      'a partial index by existence does not answer for null',
      { a: 1 },
      { partialFilterExpression: { a: { $exists: true } } },
      everyValue,
      { a: null },
      [2, 3],
    ),
    answering(
      'a partial index by existence answers for a value',
      { a: 1 },
      { partialFilterExpression: { a: { $exists: true } } },
      everyValue,
      { a: 1 },
      [1, 6],
    ),
    answering(
      'a partial index on a first position answers for its elements',
      { d: 1 },
      { partialFilterExpression: { 'd.0': { $exists: true } } },
      [{ d: ['x'] }, { d: [] }, {}, { d: 'x' }],
      { d: 'x' },
      [1, 4],
    ),
    {
      name: 'a sort is complete though there is only a sparse index on it',
      expected: [2, 3, 1],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, {}, {}])
        await collection.createIndex({ a: 1 }, { sparse: true })
        return ids(await collection.find().sort({ a: 1, _id: 1 }).toArray())
      },
    },
    matching(
      'a range along a multikey index finds a document once',
      [{ a: [1, 2, 3, 9] }, { a: 2 }, { a: [5] }],
      { a: { $gte: 1 } },
      [1, 2, 3],
      { indexes: [{ a: 1 }, { a: -1 }] },
    ),
    matching(
      'two bounds on a multikey index are not met by one element',
      [{ a: [1, 9] }, { a: [3] }, { a: 9 }],
      { a: { $gt: 2, $lt: 5 } },
      [1, 2],
      { indexes: [{ a: 1 }, { a: -1 }] },
    ),
    matching(
      'two fields of documents in an array under one index',
      [
        {
          a: [
            { x: 1, y: 1 },
            { x: 2, y: 2 },
          ],
        },
        { a: [{ x: 1, y: 2 }] },
      ],
      { 'a.x': 1, 'a.y': 2 },
      [1, 2],
      { indexes: [{ 'a.x': 1, 'a.y': 1 }] },
    ),
    {
      name: 'one trigram by equality with the sort behind it in the index',
      expected: [3, 1],
      async run(db) {
        const collection = await filled(db, [
          { owner: 'o', keys: ['abc', 'bcd'], at: 1 },
          { owner: 'o', keys: ['xyz'], at: 2 },
          { owner: 'o', keys: ['abc', 'xyz'], at: 3 },
          { owner: 'p', keys: ['abc'], at: 4 },
        ])
        await collection.createIndex({ owner: 1, keys: 1, at: -1 })
        return ids(await collection.find({ owner: 'o', keys: 'abc' }).sort({ at: -1 }).toArray())
      },
    },
    expiring(
      'a TTL index removes dates that are over, and nothing that is no date',
      0,
      [
        { at: new Date(Date.now() + hour) },
        { at: null },
        {},
        { at: 'yesterday' },
        { at: 5 },
        { at: new Date(Date.now() - hour) },
      ],
      [1, 2, 3, 4, 5],
    ),
    expiring(
      'an array expires by its earliest date',
      0,
      [
        { at: [new Date(Date.now() + hour), new Date(Date.now() - hour)] },
        { at: [new Date(Date.now() + hour), 'x'] },
        { at: ['x'] },
      ],
      [2, 3],
    ),
    expiring(
      'the seconds count from the date',
      7200,
      [{ at: new Date(Date.now() - hour) }, { at: new Date(Date.now() - 3 * hour) }],
      [1],
    ),
    expiring(
      'a partial TTL index leaves what is outside its filter',
      0,
      [
        { at: new Date(0), state: 'open' },
        { at: new Date(0), state: 'done' },
      ],
      [1],
      { partialFilterExpression: { state: 'done' } },
    ),
    {
      name: 'a TTL index is an index of its own kind in listIndexes',
      referenceFault: 'DocumentDB shows its storage engine',
      expected: { v: 2, key: { at: 1 }, name: 'at_1', expireAfterSeconds: 0 },
      async run(db) {
        await rows(db).createIndex({ at: 1 }, { expireAfterSeconds: 0 })
        return (await rows(db).indexes()).find(index => index.name === 'at_1')
      },
    },
    {
      name: 'listIndexes shows what was asked for, and nothing else',
      referenceFault: 'DocumentDB shows its storage engine',
      expected: [
        { v: 2, key: { _id: 1 }, name: '_id_' },
        { v: 2, key: { a: 1, b: -1 }, name: 'a_1_b_-1', unique: true },
        { v: 2, key: { 'c.d': 1 }, name: 'named', partialFilterExpression: { c: { $exists: true } } },
        { v: 2, key: { e: 1 }, name: 'e_1', sparse: true },
      ],
      async run(db) {
        await rows(db).createIndex({ a: 1, b: -1 }, { unique: true })
        await rows(db).createIndex(
          { 'c.d': 1 },
          { name: 'named', partialFilterExpression: { c: { $exists: true } } },
        )
        await rows(db).createIndex({ e: 1 }, { sparse: true })
        return rows(db).indexes()
      },
    },
    {
      name: 'createIndexes counts, and says when there was nothing to do',
      referenceFault: 'DocumentDB does not say that it made the collection',
      expected: [
        { numIndexesBefore: 1, numIndexesAfter: 2, createdCollectionAutomatically: true, ok: 1 },
        { numIndexesBefore: 2, numIndexesAfter: 2, note: 'all indexes already exist', ok: 1 },
      ],
      async run(db) {
        const create = async () => {
          const { numIndexesBefore, numIndexesAfter, createdCollectionAutomatically, note, ok } =
            await db.command({
              createIndexes: 'rows',
              indexes: [{ key: { a: 1 }, name: 'a_1' }],
            })
          return JSON.parse(
            JSON.stringify({
              numIndexesBefore,
              numIndexesAfter,
              createdCollectionAutomatically: createdCollectionAutomatically || undefined,
              note,
              ok,
            }),
          ) as unknown
        }
        return [await create(), await create()]
      },
    },
    {
      name: 'an index is refused under the name of another, or with other options, and not when it is the same',
      expected: {
        'the same keys under another name': { code: 85 },
        'another expiry': { code: 85 },
        'other keys under the same name': { code: 86 },
        'unique where it was not': { code: 86 },
        'another partial filter': { code: 86 },
        'the same': 'ttl_1',
      },
      async run(db) {
        const collection = rows(db)
        await collection.createIndex({ a: 1 })
        await collection.createIndex({ ttl: 1 }, { expireAfterSeconds: 60 })
        await collection.createIndex({ p: 1 }, { partialFilterExpression: { p: { $gt: 1 } } })
        return {
          'the same keys under another name': await failure(
            collection.createIndex({ a: 1 }, { name: 'other' }),
          ),
          'another expiry': await failure(collection.createIndex({ ttl: 1 }, { expireAfterSeconds: 61 })),
          'other keys under the same name': await failure(collection.createIndex({ b: 1 }, { name: 'a_1' })),
          'unique where it was not': await failure(collection.createIndex({ a: 1 }, { unique: true })),
          'another partial filter': await failure(
            collection.createIndex({ p: 1 }, { partialFilterExpression: { p: { $gt: 2 } } }),
          ),
          'the same': await collection.createIndex({ ttl: 1 }, { expireAfterSeconds: 60 }),
        }
      },
    },
    {
      name: 'dropIndexes: by name, all but _id; and what it refuses',
      expected: [{ code: 27 }, ['_id_', 'b_1', 'c_1', 'd_1'], ['_id_']],
      async run(db) {
        const collection = rows(db)
        await collection.createIndexes(['a', 'b', 'c', 'd'].map(field => ({ key: { [field]: 1 } })))
        const missing = await failure(collection.dropIndex('nowhere_1'))
        await collection.dropIndex('a_1')
        const names = async () => (await collection.indexes()).map(index => index.name)
        const some = await names()
        await collection.dropIndexes()
        return [missing, some, await names()]
      },
    },
    {
      name: 'the indexes of a collection that is not there',
      expected: { code: 26 },
      run: async db => failure(db.command({ listIndexes: 'nowhere' })),
    },
    matching(
      'two ranges that make up a type, before another field',
      [
        { a: 1, k: 1 },
        { a: 5, k: 1 },
        { a: 'x', k: 1 },
        { a: 1, k: 2 },
      ],
      { k: 1, $or: [{ a: { $gte: 3 } }, { a: { $lte: 3 } }] },
      [1, 2],
      {
        indexes: [
          { a: 1, k: 1 },
          { a: -1, k: 1 },
        ],
      },
    ),
    refused(
      'a partial filter on a sparse index',
      { a: 1 },
      { sparse: true, partialFilterExpression: { a: 1 } },
      67,
      { referenceFault: 'DocumentDB has another code' },
    ),
    refused('a partial filter that is no document', { a: 1 }, { partialFilterExpression: 5 }, 14),
    refused('an expiry on two fields', { a: 1, b: 1 }, { expireAfterSeconds: 1 }, 67),
    refused('an index on nothing', {}, {}, 67),
  ],
}
