import { Double, Int32, Long } from 'mongodb'
import { aggregating } from '../builders.js'
import type { ConformanceCase, Subject } from '../conformance-case.js'

/** What an accumulator makes of `a` in all documents, as extended JSON that tells the types of numbers apart. */
const grouping = (name: string, values: unknown[], accumulator: object, expected: unknown): ConformanceCase =>
  aggregating(
    name,
    values.map(a => (a === undefined ? {} : { a })),
    [{ $group: { _id: null, v: accumulator } }],
    [{ _id: null, v: expected }],
    { typed: true },
  )

export const aggregation: Subject = {
  subject: 'aggregation',
  cases: [
    grouping('$sum of ints is an int', [new Int32(1), new Int32(2)], { $sum: '$a' }, { $numberInt: '3' }),
    grouping(
      '$sum of ints becomes long when it no longer fits',
      [new Int32(2147483647), new Int32(1)],
      { $sum: '$a' },
      { $numberLong: '2147483648' },
    ),
    grouping(
      '$sum with a double is a double',
      [new Int32(1), new Double(2)],
      { $sum: '$a' },
      { $numberDouble: '3.0' },
    ),
    grouping(
      '$sum of longs is exact',
      [Long.fromString('9007199254740993'), Long.fromNumber(2)],
      { $sum: '$a' },
      { $numberLong: '9007199254740995' },
    ),
    grouping(
      '$sum passes over what is no number',
      ['x', null, undefined, [5], new Int32(2)],
      { $sum: '$a' },
      { $numberInt: '2' },
    ),
    grouping('$sum of one counts', [null, undefined], { $sum: 1 }, { $numberInt: '2' }),
    grouping(
      '$min passes over null and missing',
      [null, new Int32(3), undefined, new Int32(2)],
      { $min: '$a' },
      { $numberInt: '2' },
    ),
    grouping('$max compares across types', [new Int32(3), 'a', null], { $max: '$a' }, 'a'),
    grouping('$min of nothing is null', [null, undefined], { $min: '$a' }, null),
    grouping('$first of a missing field is null', [undefined, new Int32(1)], { $first: '$a' }, null),
    grouping('$first takes the first', [new Int32(2), new Int32(1)], { $first: '$a' }, { $numberInt: '2' }),
    aggregating(
      '$group by a document, with what is missing left out',
      [
        { a: 1, b: 2 },
        { a: 1, b: 2 },
      ],
      [{ $group: { _id: { x: '$a', y: '$none', z: '$b' }, n: { $sum: 1 } } }],
      [{ _id: { x: 1, z: 2 }, n: 2 }],
      { referenceFault: 'DocumentDB has null for what is missing' },
    ),
    aggregating(
      '$group by an array, with null for what is missing',
      [{ a: 1 }],
      [{ $group: { _id: ['$a', '$none'], n: { $sum: 1 } } }],
      [{ _id: [1, null], n: 1 }],
    ),
    aggregating(
      '$unwind keeps what has nothing where it is told to',
      [{ a: [] }, {}, { a: null }, { a: 3 }, { a: [4] }],
      [{ $unwind: { path: '$a', preserveNullAndEmptyArrays: true } }],
      [{ _id: 1 }, { _id: 2 }, { _id: 3, a: null }, { _id: 4, a: 3 }, { _id: 5, a: 4 }],
    ),
    aggregating(
      '$limit behind $match',
      [{ a: 1 }, { a: 2 }, { a: 1 }, { a: 1 }],
      [{ $match: { a: 1 } }, { $limit: 2 }, { $group: { _id: 1, n: { $sum: 1 } } }],
      [{ _id: 1, n: 2 }],
    ),
    aggregating('$group over nothing gives nothing', [], [{ $group: { _id: null, n: { $sum: 1 } } }], []),
    aggregating(
      '$unwind drops missing, null and empty, and takes a scalar as it is',
      [{ a: [1, 2] }, { a: [] }, {}, { a: null }, { a: 3 }],
      [{ $unwind: { path: '$a' } }],
      [
        { _id: 1, a: 1 },
        { _id: 1, a: 2 },
        { _id: 5, a: 3 },
      ],
    ),
    aggregating(
      '$unwind of a dotted path',
      [{ a: { b: [{ c: 1 }, { c: 2 }], d: 9 } }],
      [{ $unwind: { path: '$a.b' } }],
      [
        { _id: 1, a: { b: { c: 1 }, d: 9 } },
        { _id: 1, a: { b: { c: 2 }, d: 9 } },
      ],
    ),
    aggregating(
      '$unwind of an array in an array takes one level',
      [{ a: [[1, 2], [3]] }],
      [{ $unwind: { path: '$a' } }],
      [
        { _id: 1, a: [1, 2] },
        { _id: 1, a: [3] },
      ],
    ),
    aggregating(
      '$match after $group is on the group',
      [{ a: 1 }, { a: 1 }, { a: 2 }],
      [{ $group: { _id: '$a', n: { $sum: 1 } } }, { $match: { n: { $gt: 1 } } }],
      [{ _id: 1, n: 2 }],
    ),
    aggregating('the empty pipeline gives all', [{ a: 1 }], [], [{ _id: 1, a: 1 }]),
    aggregating('a collection that is not there gives nothing', [], [{ $match: { a: 1 } }], []),
  ],
}
