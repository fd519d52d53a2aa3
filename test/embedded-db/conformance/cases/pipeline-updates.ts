import { Double, Int32, Long } from 'mongodb'
import { updating } from '../builders.js'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { failure } from '../outcome.js'
import { filled } from '../rows.js'

/** The value of one expression over a document; a missing value is left out, and so the answer is an empty list. */
function computing(
  name: string,
  document: object,
  expression: unknown,
  expected: unknown[],
  marks: Marks & { typed?: true } = {},
): ConformanceCase {
  const { typed: types, ...others } = marks
  return updating(
    name,
    document,
    [{ $replaceWith: { value: expression } }],
    expected.length === 0 ? {} : { value: expected[0] },
    {
      ...others,
      ...(types && { typed: true }),
    },
  )
}

export const pipelineUpdates: Subject = {
  subject: 'pipeline updates and expressions',
  cases: [
    updating(
      'fields of one stage all see the document before it',
      { a: 1, b: 2 },
      [{ $set: { a: '$b', b: '$a' } }],
      { a: 2, b: 1 },
    ),
    updating(
      'a later stage sees the earlier one',
      { a: 1 },
      [{ $set: { b: '$a' } }, { $set: { c: { $add: ['$b', 1] } } }],
      { a: 1, b: 1, c: 2 },
    ),
    updating(
      'a literal document replaces',
      { a: { x: 1, y: 2 } },
      [{ $set: { a: { $literal: { z: 4 } } } }],
      { a: { z: 4 } },
    ),
    updating('new fields come in the order of the stage', { a: 1 }, [{ $set: { z: 1, y: 1 } }], {
      a: 1,
      z: 1,
      y: 1,
    }),
    updating('a missing value is not set', { a: 1 }, [{ $set: { b: '$nothing' } }], { a: 1 }),
    updating('a missing value takes the field away', { a: 1, b: 2 }, [{ $set: { b: '$nothing' } }], { a: 1 }),
    updating('$replaceWith keeps the _id', { a: { x: 1 } }, [{ $replaceWith: '$a' }], { x: 1 }),
    updating(
      '$replaceWith of a merge of documents',
      { a: { x: 1, y: 1 }, b: 2 },
      [{ $replaceWith: { $mergeObjects: ['$a', { y: 2, b: '$b' }] } }],
      { x: 1, y: 2, b: 2 },
    ),
    updating('$$ROOT is the whole document', { a: 1 }, [{ $replaceWith: { _id: '$_id', was: '$$ROOT' } }], {
      was: { _id: 1, a: 1 },
    }),
    computing('a missing field equals no null', {}, { $eq: ['$nothing', null] }, [false]),
    computing('comparison goes across types', { a: 'x' }, { $gt: ['$a', 99] }, [true]),
    computing(
      'numbers of different types are equal',
      { a: Long.fromNumber(1) },
      { $eq: ['$a', new Double(1)] },
      [true],
    ),
    computing('the empty string is true', {}, { $cond: ['', 'true', 'false'] }, ['true']),
    computing('zero is false', {}, { $cond: [new Double(0), 'true', 'false'] }, ['false']),
    computing('null is false', {}, { $cond: [null, 'true', 'false'] }, ['false']),
    computing('a missing field is false', {}, { $cond: ['$nothing', 'true', 'false'] }, ['false']),
    computing('the empty array is true', { a: [] }, { $cond: ['$a', 'true', 'false'] }, ['true']),
    computing(
      '$and of nothing is true, $or of nothing is false',
      {},
      [{ $and: [] }, { $or: [] }],
      [[true, false]],
    ),
    computing('$and of the empty string is true', {}, { $and: ['', 1] }, [true]),
    computing('$not of the empty string is false', {}, { $not: [''] }, [false]),
    computing(
      '$ifNull takes the first that is there',
      { a: null, c: 0 },
      { $ifNull: ['$a', '$b', '$c', 9] },
      [0],
    ),
    computing('$ifNull keeps false and the empty string', { a: '' }, { $ifNull: ['$a', 'x'] }, ['']),
    computing('$add of null is null', { a: null }, { $add: ['$a', 1] }, [null]),
    computing('$add of a missing field is null', {}, { $add: ['$a', 1] }, [null]),
    computing('$add of a date and milliseconds is a date', { a: new Date(5) }, { $add: ['$a', 1000] }, [
      { $date: '1970-01-01T00:00:01.005Z' },
    ]),
    computing(
      '$add of ints is an int',
      { a: new Int32(1) },
      { $add: ['$a', new Int32(2)] },
      [{ $numberInt: '3' }],
      { typed: true },
    ),
    computing(
      '$add of ints becomes long when it no longer fits',
      { a: new Int32(2147483647) },
      { $add: ['$a', new Int32(1)] },
      [{ $numberLong: '2147483648' }],
      { typed: true },
    ),
    computing(
      '$add with a double is a double',
      { a: new Int32(1) },
      { $add: ['$a', new Double(1)] },
      [{ $numberDouble: '2.0' }],
      { typed: true },
    ),
    computing(
      '$multiply of ints becomes long when it no longer fits',
      { a: new Int32(100000) },
      { $multiply: ['$a', '$a'] },
      [{ $numberLong: '10000000000' }],
      { typed: true },
    ),
    computing(
      '$subtract of longs beyond 2^53 is exact',
      { a: Long.fromString('9007199254740993') },
      { $subtract: ['$a', Long.fromNumber(1)] },
      [{ $numberLong: '9007199254740992' }],
      { typed: true },
    ),
    computing(
      '$max and $min pass over null and missing',
      { a: null },
      [{ $max: ['$a', 3, '$b', 7] }, { $min: ['$a', 3, '$b', 7] }],
      [[7, 3]],
    ),
    computing('$max of nothing but null is null', { a: null }, { $max: ['$a', '$b'] }, [null]),
    computing('$max of an array looks into it', { a: [3, 9, 4] }, { $max: '$a' }, [9]),
    computing('$concatArrays', { a: [1], b: [2, [3]] }, { $concatArrays: ['$a', '$b'] }, [[1, 2, [3]]]),
    computing('$concatArrays of null is null', { a: [1] }, { $concatArrays: ['$a', '$b'] }, [null]),
    computing(
      '$mergeObjects passes over null',
      { a: { x: 1 } },
      { $mergeObjects: ['$a', null, '$b', { y: 2 }] },
      [{ x: 1, y: 2 }],
    ),
    computing(
      '$mergeObjects keeps the place of a field',
      { a: { x: 1, y: 1 } },
      { $mergeObjects: ['$a', { z: 1, x: 2 }] },
      [{ x: 2, y: 1, z: 1 }],
    ),
    computing(
      '$in looks for the value',
      { a: [1, [2]] },
      [{ $in: [1, '$a'] }, { $in: [2, '$a'] }, { $in: [[2], '$a'] }],
      [[true, false, true]],
    ),
    computing(
      '$arrayElemAt from the end, and beyond it',
      { a: [1, 2] },
      [{ $arrayElemAt: ['$a', -1] }, { $arrayElemAt: ['$a', 5] }],
      [[2, null]],
    ),
    computing(
      '$slice',
      { a: [1, 2, 3, 4] },
      [{ $slice: ['$a', 2] }, { $slice: ['$a', -1] }],
      [[[1, 2], [4]]],
    ),
    computing('a path through an array gathers', { a: [{ x: 1 }, {}, { x: 3 }, 5] }, '$a.x', [[1, 3]]),
    computing('a number in a path is no position', { a: [{ x: 1 }] }, '$a.0', [[]]),
    computing('a path through a scalar is missing', { a: 5 }, '$a.x', []),
    computing('$literal keeps a dollar', {}, { $literal: '$a' }, ['$a']),
    {
      name: 'a pipeline that changes nothing is no change',
      expected: [1, 0],
      async run(db) {
        const result = await (await filled(db, [{ a: 1 }])).updateOne({}, [{ $set: { a: '$a' } }])
        return [result.matchedCount, result.modifiedCount]
      },
    },
    {
      name: 'a pipeline in an update of many works on each',
      expected: [
        { _id: 1, a: 1, b: 2 },
        { _id: 2, a: 5, b: 10 },
      ],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 5 }])
        await collection.updateMany({}, [{ $set: { b: { $multiply: ['$a', 2] } } }])
        return collection.find().sort({ _id: 1 }).toArray()
      },
    },
    {
      name: 'the empty pipeline changes nothing',
      expected: [1, 0],
      async run(db) {
        await filled(db, [{ a: 1 }])
        const reply = await failure(db.command({ update: 'rows', updates: [{ q: {}, u: [] }] }))
        const { n, nModified } = reply.succeeded as { n: number; nModified: number }
        return [n, nModified]
      },
    },
  ],
}
