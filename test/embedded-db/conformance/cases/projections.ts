import { type Document, Long } from 'mongodb'
import { projecting, refusedFind } from '../builders.js'
import type { Marks, Subject } from '../conformance-case.js'
import { filled } from '../rows.js'

const invalid = (name: string, projection: Document, code: number, marks: Marks = {}) =>
  refusedFind(name, { projection }, code, marks)

const mixed = { a: [{ b: 1, c: 2 }, { c: 3 }, 5, [{ b: 7, c: 8 }]], d: 1 }

export const projections: Subject = {
  subject: 'projections',
  cases: [
    projecting(
      'included fields keep the order of the document',
      { c: 3, b: 2, a: 1 },
      { a: 1, c: 1 },
      { _id: 1, c: 3, a: 1 },
    ),
    projecting('_id comes along unless left out', { a: 1, b: 2 }, { a: 1, _id: 0 }, { a: 1 }),
    projecting('_id alone', { a: 1, b: 2 }, { _id: 1 }, { _id: 1 }),
    projecting('without _id is an exclusion', { a: 1, b: 2 }, { _id: 0 }, { a: 1, b: 2 }),
    projecting('excluded fields', { a: 1, b: 2, c: 3 }, { b: 0 }, { _id: 1, a: 1, c: 3 }),
    projecting('an exclusion may include _id', { a: 1, b: 2 }, { b: 0, _id: 1 }, { _id: 1, a: 1 }),
    projecting('the empty projection is all', { a: 1 }, {}, { _id: 1, a: 1 }),
    projecting('a missing field is not made', { a: 1 }, { b: 1 }, { _id: 1 }),
    projecting('null is kept as null', { a: null, b: 1 }, { a: 1 }, { _id: 1, a: null }),
    projecting(
      'any number but zero includes',
      { a: 1, b: 2, c: 3 },
      { a: 2.5, b: Long.fromNumber(1), c: true },
      { _id: 1, a: 1, b: 2, c: 3 },
    ),
    projecting('false excludes', { a: 1, b: 2 }, { a: false }, { _id: 1, b: 2 }),
    projecting(
      'a dotted inclusion keeps the shape',
      { a: { b: 1, c: 2 }, d: 3 },
      { 'a.b': 1 },
      { _id: 1, a: { b: 1 } },
    ),
    projecting(
      'a nested inclusion is a dotted one',
      { a: { b: 1, c: 2 }, d: 3 },
      { a: { b: 1 } },
      { _id: 1, a: { b: 1 } },
    ),
    projecting(
      'a dotted inclusion goes into arrays and drops their scalars',
      mixed,
      { 'a.b': 1 },
      { _id: 1, a: [{ b: 1 }, {}, [{ b: 7 }]] },
    ),
    projecting(
      'a dotted exclusion goes into arrays and keeps their scalars',
      mixed,
      { 'a.b': 0 },
      { _id: 1, a: [{ c: 2 }, { c: 3 }, 5, [{ c: 8 }]], d: 1 },
    ),
    projecting(
      'a dotted inclusion of a scalar leaves nothing of it',
      { a: 5, d: 1 },
      { 'a.b': 1 },
      { _id: 1 },
    ),
    projecting(
      'a dotted inclusion of an empty document keeps it',
      { a: {}, d: 1 },
      { 'a.b': 1 },
      { _id: 1, a: {} },
    ),
    projecting(
      'a dotted exclusion of a scalar keeps it',
      { a: 5, d: 1 },
      { 'a.b': 0 },
      { _id: 1, a: 5, d: 1 },
    ),
    projecting(
      'two dotted inclusions under one parent keep its order',
      { a: { c: 1, b: 2, d: 3 } },
      { 'a.b': 1, 'a.c': 1 },
      { _id: 1, a: { c: 1, b: 2 } },
    ),
    projecting(
      'a number in a path of a projection is no position',
      { a: [{ b: 1 }, { b: 2 }] },
      { 'a.0': 1 },
      { _id: 1, a: [{}, {}] },
    ),
    projecting(
      '$elemMatch keeps the first match',
      {
        a: [
          { x: 1, n: 1 },
          { x: 2, n: 2 },
          { x: 2, n: 3 },
        ],
        b: 1,
      },
      { a: { $elemMatch: { x: 2 } } },
      { _id: 1, a: [{ x: 2, n: 2 }] },
    ),
    projecting(
      '$elemMatch without a match leaves the field out',
      { a: [{ x: 1 }], b: 1 },
      { a: { $elemMatch: { x: 2 } }, b: 1 },
      { _id: 1, b: 1 },
    ),
    projecting(
      '$elemMatch comes after the included fields',
      { a: [1, 5], b: 1, c: 2 },
      { a: { $elemMatch: { $gt: 3 } }, c: 1 },
      { _id: 1, c: 2, a: [5] },
    ),
    projecting(
      '$elemMatch beside an exclusion',
      { a: [1, 5], b: 1, c: 2 },
      { a: { $elemMatch: { $gt: 3 } }, b: 0 },
      { _id: 1, a: [5], c: 2 },
    ),
    projecting(
      '$elemMatch over scalars',
      { a: [1, 5, 9] },
      { a: { $elemMatch: { $gt: 3 } } },
      { _id: 1, a: [5] },
    ),
    projecting(
      '$slice keeps all other fields',
      { a: [1, 2, 3], b: 1 },
      { a: { $slice: 2 } },
      { _id: 1, a: [1, 2], b: 1 },
    ),
    projecting(
      '$slice from the end',
      { a: [1, 2, 3], b: 1 },
      { a: { $slice: -2 } },
      { _id: 1, a: [2, 3], b: 1 },
    ),
    projecting(
      '$slice with an inclusion keeps only what is included',
      { a: [1, 2, 3], b: 1, c: 1 },
      { a: { $slice: 1 }, b: 1 },
      { _id: 1, a: [1], b: 1 },
    ),
    projecting(
      '$slice with _id is an inclusion',
      { a: [1, 2], b: 1 },
      { _id: 1, a: { $slice: 1 } },
      { _id: 1, a: [1] },
      { referenceFault: 'DocumentDB takes it for an exclusion' },
    ),
    projecting(
      '$slice without _id is an exclusion',
      { a: [1, 2], b: 1 },
      { _id: 0, a: { $slice: 1 } },
      { a: [1], b: 1 },
    ),
    projecting(
      '$elemMatch without _id is an inclusion',
      { a: [1, 2], b: 1 },
      { _id: 0, a: { $elemMatch: { $gt: 1 } } },
      { a: [2] },
      { referenceFault: 'DocumentDB takes it for an exclusion' },
    ),
    projecting(
      '$slice with an exclusion',
      { a: [1, 2, 3], b: 1, c: 1 },
      { a: { $slice: 1 }, b: 0 },
      { _id: 1, a: [1], c: 1 },
    ),
    projecting(
      '$slice of a window',
      { a: [1, 2, 3, 4, 5] },
      { a: { $slice: [1, 2] } },
      { _id: 1, a: [2, 3] },
    ),
    projecting(
      '$slice of a window counted from the end',
      { a: [1, 2, 3, 4, 5] },
      { a: { $slice: [-3, 2] } },
      { _id: 1, a: [3, 4] },
    ),
    projecting(
      '$slice further than the array reaches',
      { a: [1, 2] },
      { a: { $slice: [-9, 1] } },
      { _id: 1, a: [1] },
    ),
    projecting('$slice of something else than an array', { a: 5 }, { a: { $slice: 1 } }, { _id: 1, a: 5 }),
    projecting(
      '$slice on a dotted path',
      { a: { b: [1, 2, 3], c: 1 } },
      { 'a.b': { $slice: 1 } },
      { _id: 1, a: { b: [1], c: 1 } },
    ),
    projecting(
      'a field that JavaScript objects inherit is not there',
      { a: 1 },
      { constructor: 1 },
      { _id: 1 },
    ),
    projecting(
      'a field called like an inherited one',
      { constructor: { name: 'x' }, toString: 1 },
      { constructor: 1, toString: 1 },
      { _id: 1, constructor: { name: 'x' }, toString: 1 },
    ),
    invalid('an exclusion within an inclusion is refused', { a: 1, b: 0 }, 31254),
    invalid('an inclusion within an exclusion is refused', { a: 0, b: 1 }, 31253, {
      referenceFault: 'DocumentDB has one code for both mixtures',
    }),
    invalid('a path and its parent are refused', { 'a.b': 1, a: 1 }, 31250, {
      referenceFault: 'DocumentDB has a code of its own for colliding paths',
    }),
    invalid('a parent and its path are refused', { a: 1, 'a.b': 1 }, 31249, {
      referenceFault: 'DocumentDB has a code of its own for colliding paths',
    }),
    {
      name: 'a projection does not touch what is stored',
      expected: [{ _id: 1, a: [1, 2], b: { c: 1, d: 2 } }],
      async run(db) {
        const collection = await filled(db, [{ a: [1, 2], b: { c: 1, d: 2 } }])
        await collection.find({}, { projection: { a: { $slice: 1 }, 'b.c': 0 } }).toArray()
        return collection.find().toArray()
      },
    },
  ],
}
