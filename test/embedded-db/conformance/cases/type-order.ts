import { Double, Int32, Long, ObjectId } from 'mongodb'
import { aggregating, ordered } from '../builders.js'
import type { Subject } from '../conformance-case.js'
import { filled } from '../rows.js'

const everyType = [
  { _id: 'date', a: new Date(0) },
  { _id: 'true', a: true },
  { _id: 'false', a: false },
  { _id: 'objectId', a: new ObjectId('000000000000000000000000') },
  { _id: 'document', a: { x: 1 } },
  { _id: 'string', a: '' },
  { _id: 'number', a: -5 },
  { _id: 'null', a: null },
]

export const typeOrder: Subject = {
  subject: 'type order',
  cases: [
    ordered('every type in its bracket', everyType, { a: 1 }, [
      'null',
      'number',
      'string',
      'document',
      'objectId',
      'false',
      'true',
      'date',
    ]),
    ordered('every type in its bracket, descending', everyType, { a: -1 }, [
      'date',
      'true',
      'false',
      'objectId',
      'document',
      'string',
      'number',
      'null',
    ]),
    ordered(
      'numbers of all types by value',
      [
        { a: new Double(2.5) },
        { a: Long.fromNumber(3) },
        { a: new Int32(2) },
        { a: Number.NEGATIVE_INFINITY },
        { a: Number.NaN },
        { a: Number.POSITIVE_INFINITY },
      ],
      { a: 1 },
      [5, 4, 3, 1, 2, 6],
    ),
    ordered(
      'strings by UTF-8 bytes',
      [{ a: '\u{1f600}' }, { a: '\uffff' }, { a: 'é' }, { a: 'z' }, { a: 'Z' }, { a: '' }, { a: 'zz' }],
      { a: 1 },
      [6, 5, 4, 7, 3, 2, 1],
    ),
    ordered(
      'null and missing are one, then by the next key',
      [{ a: null }, {}, { a: 1 }, { a: null }],
      { a: 1, _id: -1 },
      [4, 2, 1, 3],
    ),
    ordered(
      'missing comes last when descending',
      [{ a: 1 }, {}, { a: 2 }, { a: null }],
      { a: -1, _id: 1 },
      [3, 1, 2, 4],
    ),
    ordered(
      'an array ascends by its least element',
      [{ a: [5, 1] }, { a: 3 }, { a: [4, 9] }, { a: 0 }],
      { a: 1 },
      [4, 1, 2, 3],
    ),
    ordered(
      'an array descends by its greatest element',
      [{ a: [5, 1] }, { a: 3 }, { a: [4, 9] }, { a: 6 }],
      { a: -1 },
      [3, 4, 1, 2],
    ),
    ordered(
      'the empty array comes before null',
      [{ a: null }, { a: [] }, { a: 1 }, {}],
      { a: 1, _id: 1 },
      [2, 1, 4, 3],
      { referenceFault: 'DocumentDB sorts an empty array with null' },
    ),
    ordered(
      'an array of documents by a dotted path',
      [{ a: [{ b: 5 }, { b: 2 }] }, { a: { b: 3 } }, { a: [{ b: 1 }, {}] }, { a: [{ c: 1 }] }],
      { 'a.b': 1, _id: 1 },
      [3, 4, 1, 2],
    ),
    ordered(
      'two keys in mixed directions',
      [
        { a: 1, b: 1 },
        { a: 2, b: 1 },
        { a: 1, b: 2 },
        { a: 2, b: 2 },
      ],
      { a: -1, b: 1 },
      [2, 4, 1, 3],
    ),
    ordered(
      'documents by field type, then name, then value, then length',
      [
        { a: { x: 2 } },
        { a: { y: 1 } },
        { a: { x: 1, y: 1 } },
        { a: { x: 'a' } },
        { a: {} },
        { a: { x: 1 } },
      ],
      { a: 1 },
      [5, 6, 3, 1, 2, 4],
    ),
    ordered(
      'dates before 1970 come first',
      [{ a: new Date(0) }, { a: new Date(-1) }, { a: new Date(1) }, { a: new Date(-8.64e15) }],
      { a: 1 },
      [4, 2, 1, 3],
    ),
    ordered(
      '_ids of mixed types',
      [
        { _id: 'b' },
        { _id: 2 },
        { _id: new ObjectId('000000000000000000000001') },
        { _id: 1.5 },
        { _id: new Date(0) },
        { _id: { x: 1 } },
      ],
      { _id: 1 },
      [1.5, 2, 'b', { x: 1 }, { $oid: '000000000000000000000001' }, { $date: '1970-01-01T00:00:00Z' }],
    ),
    ordered(
      'a filtered array still sorts by its least element',
      [{ a: [1, 20] }, { a: [15] }, { a: [2, 12] }],
      { a: 1 },
      [1, 3, 2],
      { filter: { a: { $gt: 10 } } },
    ),
    aggregating(
      '$group takes 1, 1.0 and Long 1 for one key',
      [{ a: new Int32(1) }, { a: new Double(1) }, { a: Long.fromNumber(1) }],
      [{ $group: { _id: '$a', n: { $sum: 1 } } }],
      [{ _id: 1, n: 3 }],
    ),
    aggregating(
      '$group takes null and missing for one key',
      [{ a: null }, {}],
      [{ $group: { _id: '$a', n: { $sum: 1 } } }],
      [{ _id: null, n: 2 }],
    ),
    {
      name: 'distinct takes equal numbers of different types for one value',
      expected: 2,
      run: async db =>
        (
          await (
            await filled(db, [{ a: 1 }, { a: new Double(1) }, { a: Long.fromNumber(1) }, { a: 2 }])
          ).distinct('a')
        ).length,
    },
    {
      name: 'distinct looks into arrays, and leaves out missing fields',
      expected: [1, 2, 3, null],
      run: async db => {
        const values = await (
          await filled(db, [{ a: [1, 2] }, { a: 2 }, { a: [3, 1] }, {}, { a: [] }, { a: null }])
        ).distinct('a')
        return values.sort((a, b) => Number(a ?? 99) - Number(b ?? 99))
      },
    },
    {
      name: 'distinct over a dotted path through arrays, with a filter',
      expected: [1, 2],
      run: async db => {
        const collection = await filled(db, [
          { k: 1, a: [{ b: 1 }, { b: 2 }] },
          { k: 1, a: { b: 2 } },
          { k: 2, a: { b: 3 } },
          { k: 1, a: 5 },
        ])
        return (await collection.distinct('a.b', { k: 1 })).sort()
      },
    },
    {
      name: 'distinct takes documents with their keys in another order for two values',
      expected: 2,
      run: async db =>
        (
          await (
            await filled(db, [{ a: { x: 1, y: 1 } }, { a: { y: 1, x: 1 } }, { a: { x: 1, y: 1 } }])
          ).distinct('a')
        ).length,
    },
  ],
}
