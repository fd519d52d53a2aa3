import { Double, Int32, Long } from 'mongodb'
import { aggregating } from '../builders.js'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { failure } from '../outcome.js'
import { filled, rows } from '../rows.js'

const refusing = (name: string, pipeline: object[], code: number, marks: Marks = {}): ConformanceCase => ({
  name,
  expected: { code },
  ...marks,
  run: async db => failure((await filled(db, [{ a: 1 }])).aggregate(pipeline).toArray()),
})

const grouping = (
  name: string,
  documents: object[],
  accumulator: object,
  expected: unknown,
  marks: Marks & { typed?: true } = {},
): ConformanceCase =>
  aggregating(
    name,
    documents,
    [{ $sort: { _id: 1 } }, { $group: { _id: null, v: accumulator } }, { $project: { _id: 0 } }],
    [{ v: expected }],
    marks,
  )

export const aggregation: Subject = {
  subject: 'aggregation',
  cases: [
    grouping(
      '$sum of ints is an int',
      [{ a: new Int32(1) }, { a: new Int32(2) }],
      { $sum: '$a' },
      { $numberInt: '3' },
      { typed: true },
    ),
    grouping(
      '$sum of ints becomes long when it no longer fits',
      [{ a: new Int32(2147483647) }, { a: new Int32(1) }],
      { $sum: '$a' },
      { $numberLong: '2147483648' },
      { typed: true },
    ),
    grouping(
      '$sum with a double is a double',
      [{ a: new Int32(1) }, { a: new Double(2) }],
      { $sum: '$a' },
      { $numberDouble: '3.0' },
      { typed: true },
    ),
    grouping(
      '$sum of longs is exact',
      [{ a: Long.fromString('9007199254740993') }, { a: Long.fromNumber(2) }],
      { $sum: '$a' },
      { $numberLong: '9007199254740995' },
      { typed: true },
    ),
    grouping(
      '$sum passes over what is no number',
      [{ a: 1 }, { a: 'x' }, {}, { a: null }, { a: [5] }, { a: 2 }],
      { $sum: '$a' },
      3,
    ),
    grouping(
      '$sum of no number is an int zero',
      [{ a: 'x' }],
      { $sum: '$a' },
      { $numberInt: '0' },
      { typed: true },
    ),
    grouping(
      '$avg is a double, of the numbers only',
      [{ a: 1 }, { a: 3 }, { a: 'x' }, {}],
      { $avg: '$a' },
      { $numberDouble: '2.0' },
      { typed: true },
    ),
    grouping('$avg of no number is null', [{ a: 'x' }, {}], { $avg: '$a' }, null),
    grouping('$min passes over null and missing', [{ a: null }, {}, { a: 5 }, { a: 3 }], { $min: '$a' }, 3),
    grouping('$max compares across types', [{ a: 5 }, { a: 'x' }, { a: null }], { $max: '$a' }, 'x'),
    grouping('$max of nothing is null', [{ a: null }, {}], { $max: '$a' }, null),
    grouping(
      '$max of arrays compares whole arrays',
      [{ a: [1, 9] }, { a: [2] }, { a: 50 }],
      { $max: '$a' },
      [2],
    ),
    grouping(
      '$push keeps null and passes over missing',
      [{ a: 1 }, {}, { a: null }, { a: [2] }],
      { $push: '$a' },
      [1, null, [2]],
    ),
    grouping(
      '$push of a document leaves missing fields out',
      [{ a: 1, b: 2 }, { a: 3 }],
      { $push: { x: '$a', y: '$b' } },
      [{ x: 1, y: 2 }, { x: 3 }],
    ),
    grouping(
      '$addToSet takes equal numbers once',
      [{ a: 1 }, { a: new Double(1) }, { a: Long.ONE }],
      { $addToSet: '$a' },
      [1],
    ),
    grouping(
      '$first and $last go by the order of the input',
      [{ a: 1 }, { a: 2 }, { a: 3 }],
      { $first: '$a' },
      1,
    ),
    grouping('$last of a missing field is null', [{ a: 1 }, {}], { $last: '$a' }, null),
    grouping('$count counts documents', [{}, {}, {}], { $count: {} }, 3),
    grouping(
      '$sum of a condition',
      [{ a: 1 }, { a: 5 }, { a: 9 }],
      { $sum: { $cond: [{ $gte: ['$a', 5] }, 1, 0] } },
      2,
    ),
    grouping(
      '$mergeObjects as an accumulator',
      [{ a: { x: 1 } }, { a: null }, { a: { y: 2, x: 3 } }],
      { $mergeObjects: '$a' },
      { x: 3, y: 2 },
    ),
    aggregating('$group over nothing gives nothing', [], [{ $group: { _id: null, n: { $sum: 1 } } }], []),
    aggregating(
      '$group by a document leaves missing parts out',
      [{ a: 1 }, { a: 1, b: 2 }, { b: 2 }],
      [{ $group: { _id: { a: '$a', b: '$b' }, n: { $sum: 1 } } }, { $sort: { _id: 1 } }],
      [
        { _id: { a: 1 }, n: 1 },
        { _id: { a: 1, b: 2 }, n: 1 },
        { _id: { b: 2 }, n: 1 },
      ],
      { referenceFault: 'DocumentDB makes them null' },
    ),
    aggregating(
      '$group by an array does not look into it',
      [{ a: [1, 2] }, { a: [1, 2] }, { a: [2, 1] }],
      [{ $group: { _id: '$a', n: { $sum: 1 } } }, { $sort: { n: -1 } }],
      [
        { _id: [1, 2], n: 2 },
        { _id: [2, 1], n: 1 },
      ],
    ),
    aggregating(
      '$group by the day of a date',
      [
        { at: new Date('2024-01-01T23:00:00Z') },
        { at: new Date('2024-01-02T01:00:00Z') },
        { at: new Date('2024-01-01T01:00:00Z') },
      ],
      [
        { $group: { _id: { $dateToString: { date: '$at', format: '%Y-%m-%d' } }, n: { $sum: 1 } } },
        { $sort: { _id: 1 } },
      ],
      [
        { _id: '2024-01-01', n: 2 },
        { _id: '2024-01-02', n: 1 },
      ],
    ),
    aggregating(
      '$unwind drops missing, null and empty, and takes a scalar as it is',
      [{ a: [1, 2] }, { a: [] }, {}, { a: null }, { a: 3 }],
      [{ $unwind: '$a' }, { $sort: { _id: 1, a: 1 } }],
      [
        { _id: 1, a: 1 },
        { _id: 1, a: 2 },
        { _id: 5, a: 3 },
      ],
    ),
    aggregating(
      '$unwind keeps missing, null and empty when told so',
      [{ a: [1] }, { a: [] }, {}, { a: null }],
      [{ $unwind: { path: '$a', preserveNullAndEmptyArrays: true } }, { $sort: { _id: 1 } }],
      [{ _id: 1, a: 1 }, { _id: 2 }, { _id: 3 }, { _id: 4, a: null }],
    ),
    aggregating(
      '$unwind with the position',
      [{ a: ['x', 'y'] }, { a: 5 }],
      [{ $unwind: { path: '$a', includeArrayIndex: 'i' } }, { $sort: { _id: 1, i: 1 } }],
      [
        { _id: 1, a: 'x', i: 0 },
        { _id: 1, a: 'y', i: 1 },
        { _id: 2, a: 5, i: null },
      ],
    ),
    aggregating(
      '$unwind of a dotted path',
      [{ a: { b: [{ c: 1 }, { c: 2 }], d: 9 } }],
      [{ $unwind: '$a.b' }],
      [
        { _id: 1, a: { b: { c: 1 }, d: 9 } },
        { _id: 1, a: { b: { c: 2 }, d: 9 } },
      ],
    ),
    aggregating(
      '$unwind of an array in an array takes one level',
      [{ a: [[1, 2], [3]] }],
      [{ $unwind: '$a' }],
      [
        { _id: 1, a: [1, 2] },
        { _id: 1, a: [3] },
      ],
    ),
    aggregating(
      '$count of something',
      [{ a: 1 }, { a: 2 }],
      [{ $match: { a: { $gt: 1 } } }, { $count: 'n' }],
      [{ n: 1 }],
    ),
    aggregating(
      '$count of nothing gives no document',
      [{ a: 1 }],
      [{ $match: { a: 9 } }, { $count: 'n' }],
      [],
      { referenceFault: 'DocumentDB counts nothing as one document' },
    ),
    aggregating(
      '$facet runs every pipeline over the same input',
      [{ a: 1 }, { a: 2 }],
      [
        {
          $facet: {
            all: [{ $sort: { a: -1 } }, { $project: { _id: 0 } }],
            none: [{ $match: { a: 9 } }],
            total: [{ $count: 'n' }],
          },
        },
      ],
      [{ all: [{ a: 2 }, { a: 1 }], none: [], total: [{ n: 2 }] }],
    ),
    aggregating(
      '$facet over nothing gives empty lists',
      [],
      [{ $facet: { all: [], total: [{ $count: 'n' }] } }],
      [{ all: [], total: [] }],
      { referenceFault: 'DocumentDB counts nothing as one document' },
    ),
    aggregating(
      '$project computes, and leaves out what is missing',
      [{ a: 1, b: { c: 2 } }],
      [{ $project: { _id: 0, x: '$b.c', y: '$nothing', z: { w: '$a' } } }],
      [{ x: 2, z: { w: 1 } }],
    ),
    aggregating(
      "$project of included fields keeps the document's order, computed ones come last",
      [{ c: 3, b: 2, a: 1 }],
      [{ $project: { x: { $add: ['$a', 1] }, a: 1, c: 1 } }],
      [{ _id: 1, c: 3, a: 1, x: 2 }],
    ),
    aggregating(
      '$project excludes',
      [{ a: 1, b: { c: 1, d: 1 } }],
      [{ $project: { 'b.c': 0, _id: 0 } }],
      [{ a: 1, b: { d: 1 } }],
    ),
    aggregating(
      '$project with $$REMOVE',
      [{ a: 1, b: 1 }],
      [{ $project: { a: { $cond: [{ $eq: ['$a', 1] }, '$$REMOVE', '$a'] }, b: 1 } }],
      [{ _id: 1, b: 1 }],
    ),
    aggregating(
      '$addFields into documents of an array',
      [{ a: [{ x: 1 }, 5] }],
      [{ $addFields: { 'a.y': 2 } }],
      [{ _id: 1, a: [{ x: 1, y: 2 }, { y: 2 }] }],
    ),
    aggregating(
      '$sort by two keys, then $skip and $limit',
      [
        { a: 1, b: 1 },
        { a: 2, b: 2 },
        { a: 2, b: 1 },
        { a: 1, b: 2 },
      ],
      [{ $sort: { a: -1, b: 1 } }, { $skip: 1 }, { $limit: 2 }, { $project: { _id: 1 } }],
      [{ _id: 2 }, { _id: 1 }],
    ),
    aggregating(
      '$limit before $sort limits first',
      [{ a: 1 }, { a: 2 }, { a: 3 }],
      [{ $sort: { _id: 1 } }, { $limit: 2 }, { $sort: { a: -1 } }, { $project: { a: 1, _id: 0 } }],
      [{ a: 2 }, { a: 1 }],
    ),
    aggregating(
      '$match after $group is on the group',
      [{ a: 1 }, { a: 1 }, { a: 2 }],
      [{ $group: { _id: '$a', n: { $sum: 1 } } }, { $match: { n: { $gt: 1 } } }],
      [{ _id: 1, n: 2 }],
    ),
    aggregating('$replaceRoot', [{ a: { x: 1 } }], [{ $replaceRoot: { newRoot: '$a' } }], [{ x: 1 }]),
    aggregating(
      '$sortByCount',
      [{ a: 'x' }, { a: 'y' }, { a: 'x' }],
      [{ $sortByCount: '$a' }],
      [
        { _id: 'x', count: 2 },
        { _id: 'y', count: 1 },
      ],
    ),
    aggregating(
      '$bucket includes its lower bound',
      [{ a: 0 }, { a: 5 }, { a: 10 }, { a: 99 }, {}],
      [{ $bucket: { groupBy: '$a', boundaries: [0, 5, 10], default: 'other', output: { n: { $sum: 1 } } } }],
      [
        { _id: 0, n: 1 },
        { _id: 5, n: 1 },
        { _id: 'other', n: 3 },
      ],
    ),
    aggregating(
      '$match with $expr',
      [
        { a: 1, b: 2 },
        { a: 2, b: 1 },
      ],
      [{ $match: { $expr: { $gt: ['$a', '$b'] } } }, { $project: { _id: 1 } }],
      [{ _id: 2 }],
    ),
    aggregating('the empty pipeline gives all', [{ a: 1 }], [], [{ _id: 1, a: 1 }]),
    aggregating('a collection that is not there gives nothing', [], [{ $match: { a: 1 } }], []),
    {
      name: '$lookup finds equal values, looks into arrays, and takes missing for null',
      expected: [
        { _id: 1, k: 1, found: ['a', 'b'] },
        { _id: 2, k: [1, 2], found: ['a', 'b', 'c'] },
        { _id: 3, found: ['d', 'e'] },
        { _id: 4, k: 9, found: [] },
      ],
      async run(db) {
        const collection = await filled(db, [{ k: 1 }, { k: [1, 2] }, {}, { k: 9 }])
        await db
          .collection<{ _id: string; f?: unknown }>('others')
          .insertMany([
            { _id: 'a', f: 1 },
            { _id: 'b', f: [1, 7] },
            { _id: 'c', f: 2 },
            { _id: 'd', f: null },
            { _id: 'e' },
          ])
        const results = await collection
          .aggregate([
            { $lookup: { from: 'others', localField: 'k', foreignField: 'f', as: 'found' } },
            { $sort: { _id: 1 } },
          ])
          .toArray()
        return results.map(row => ({
          ...row,
          found: (row.found as { _id: string }[]).map(other => other._id).sort(),
        }))
      },
    },
    {
      name: '$lookup with a pipeline and its variables',
      expected: [
        { _id: 1, k: 1, found: [{ n: 5 }] },
        { _id: 2, k: 2, found: [] },
      ],
      async run(db) {
        const collection = await filled(db, [{ k: 1 }, { k: 2 }])
        await db.collection('others').insertMany([
          { f: 1, n: 5 },
          { f: 1, n: 1 },
          { f: 3, n: 9 },
        ])
        const pipeline = [
          { $match: { $expr: { $and: [{ $eq: ['$f', '$$key'] }, { $gt: ['$n', 3] }] } } },
          { $project: { _id: 0, n: 1 } },
        ]
        return collection
          .aggregate([
            { $lookup: { from: 'others', let: { key: '$k' }, pipeline, as: 'found' } },
            { $sort: { _id: 1 } },
          ])
          .toArray()
      },
    },
    {
      name: '$lookup of a collection that is not there finds nothing',
      expected: [{ _id: 1, k: 1, found: [] }],
      run: async db =>
        (await filled(db, [{ k: 1 }]))
          .aggregate([{ $lookup: { from: 'nowhere', localField: 'k', foreignField: 'f', as: 'found' } }])
          .toArray(),
    },
    {
      name: '$unionWith appends the other collection',
      expected: [{ a: 1 }, { a: 2 }, { a: 9 }],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 2 }])
        await db.collection('others').insertMany([{ a: 9 }, { a: 10 }])
        return collection
          .aggregate([
            { $unionWith: { coll: 'others', pipeline: [{ $match: { a: 9 } }] } },
            { $sort: { a: 1 } },
            { $project: { _id: 0 } },
          ])
          .toArray()
      },
    },
    {
      name: "a pipeline's cursor comes in batches",
      expected: [250, 250],
      async run(db) {
        const collection = await filled(
          db,
          Array.from({ length: 250 }, (_, index) => ({ a: index })),
        )
        const results = await collection.aggregate([{ $sort: { a: 1 } }], { batchSize: 7 }).toArray()
        return [results.length, new Set(results.map(row => row.a as unknown)).size]
      },
    },
    {
      name: 'a leading $match, $sort and $limit give what find gives, with and without an index',
      expected: true,
      async run(db) {
        const collection = await filled(
          db,
          Array.from({ length: 60 }, (_, index) => ({ a: index % 3, b: (index * 7) % 60 })),
        )
        const ask = async () => [
          await collection
            .aggregate([{ $match: { a: 1 } }, { $sort: { b: -1 } }, { $skip: 2 }, { $limit: 5 }])
            .toArray(),
          await collection.find({ a: 1 }).sort({ b: -1 }).skip(2).limit(5).toArray(),
        ]
        const scanned = await ask()
        await collection.createIndex({ a: 1, b: -1 })
        const texts = [...scanned, ...(await ask())].map(result => JSON.stringify(result))
        return new Set(texts).size === 1
      },
    },
    {
      name: 'an option that is not known is refused',
      referenceFault: 'DocumentDB has another code',
      expected: { code: 40415 },
      run: async db =>
        failure(db.command({ aggregate: rows(db).collectionName, pipeline: [], cursor: {}, nonsense: 1 })),
    },
    refusing('$group without _id', [{ $group: { n: { $sum: 1 } } }], 15955, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('an unknown accumulator', [{ $group: { _id: null, n: { $foo: 1 } } }], 15952),
    refusing('an accumulator that is none', [{ $group: { _id: null, n: 5 } }], 40234, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('a stage of two names', [{ $match: {}, $limit: 1 }], 40323),
    refusing('$limit 0', [{ $limit: 0 }], 15958, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('a negative $skip', [{ $skip: -1 }], 5107200, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('$project of nothing', [{ $project: {} }], 51272, {
      referenceFault: 'DocumentDB takes it for all',
    }),
    refusing('an exclusion within an inclusion', [{ $project: { a: 1, b: 0 } }], 31254),
    refusing(
      '$replaceRoot with something else than a document',
      [{ $replaceRoot: { newRoot: '$a' } }],
      40228,
      { referenceFault: 'DocumentDB has no code of its own for it' },
    ),
    refusing('$unwind without a dollar', [{ $unwind: 'a' }], 28818, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('$facet within $facet', [{ $facet: { x: [{ $facet: { y: [] } }] } }], 40600, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing(
      '$bucket without a place for a value',
      [{ $bucket: { groupBy: '$a', boundaries: [5, 10] } }],
      40066,
      { referenceFault: 'DocumentDB has no code of its own for it' },
    ),
    refusing('$count without a name', [{ $count: '' }], 40156, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('$sort by a direction that is none', [{ $sort: { a: 2 } }], 15975, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    {
      name: 'an aggregate command without a cursor is refused',
      expected: { code: 9 },
      run: async db => {
        await filled(db, [{ a: 1 }])
        return failure(db.command({ aggregate: 'rows', pipeline: [] }))
      },
    },
  ],
}
