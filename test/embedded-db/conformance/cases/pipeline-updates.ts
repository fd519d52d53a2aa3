import { Double, Int32, Long } from 'mongodb'
import { refusedUpdate, updating } from '../builders.js'
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

const refusing = (
  name: string,
  document: object,
  expression: unknown,
  code: number,
  marks: Marks = {},
): ConformanceCase => refusedUpdate(name, document, [{ $set: { value: expression } }], code, marks)

// biome-ignore lint/suspicious/noThenProperty: the name that a branch of $switch has
const branch = (condition: object, value: unknown) => ({ case: condition, then: value })

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
      'a document merges into the one that is there',
      { a: { x: 1, y: 2 } },
      [{ $set: { a: { y: 3, z: 4 } } }],
      { a: { x: 1, y: 3, z: 4 } },
    ),
    updating(
      'a literal document replaces',
      { a: { x: 1, y: 2 } },
      [{ $set: { a: { $literal: { z: 4 } } } }],
      { a: { z: 4 } },
    ),
    updating('a document over a scalar replaces it', { a: 5 }, [{ $set: { a: { z: 4 } } }], { a: { z: 4 } }),
    updating(
      'a dotted path sets in every element of an array',
      { a: [{ x: 1 }, { x: 2 }] },
      [{ $set: { 'a.y': 9 } }],
      {
        a: [
          { x: 1, y: 9 },
          { x: 2, y: 9 },
        ],
      },
    ),
    updating('new fields come in the order of the stage', { a: 1 }, [{ $set: { z: 1, y: 1 } }], {
      a: 1,
      z: 1,
      y: 1,
    }),
    updating('a missing value is not set', { a: 1 }, [{ $set: { b: '$nothing' } }], { a: 1 }),
    updating('a missing value takes the field away', { a: 1, b: 2 }, [{ $set: { b: '$nothing' } }], { a: 1 }),
    updating(
      '$$REMOVE takes a field away',
      { a: 1, b: 2 },
      [{ $set: { b: { $cond: [{ $eq: ['$a', 1] }, '$$REMOVE', '$b'] } } }],
      { a: 1 },
    ),
    updating(
      '$unset of one name, of several, and of a nested one',
      { a: 1, b: 2, c: { d: 1, e: 2 }, f: 1 },
      [{ $unset: 'a' }, { $unset: ['b', 'c.d'] }],
      { c: { e: 2 }, f: 1 },
    ),
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
    updating(
      'an entry is dropped by rebuilding its parent',
      { open: { h1: { at: 1 }, h2: { at: 9 } } },
      [
        {
          $set: {
            open: {
              $arrayToObject: {
                $filter: { input: { $objectToArray: '$open' }, as: 'e', cond: { $gt: ['$$e.v.at', 5] } },
              },
            },
          },
        },
      ],
      { open: { h2: { at: 9 } } },
    ),
    updating(
      'what expired is given back in the same update',
      { seconds: 100, open: { h1: { seconds: 60, at: 1 }, h2: { seconds: 30, at: 9 } } },
      [
        {
          $set: {
            seconds: {
              $subtract: [
                '$seconds',
                {
                  $sum: {
                    $map: {
                      input: {
                        $filter: {
                          input: { $objectToArray: '$open' },
                          as: 'e',
                          cond: { $lte: ['$$e.v.at', 5] },
                        },
                      },
                      as: 'e',
                      in: '$$e.v.seconds',
                    },
                  },
                },
              ],
            },
          },
        },
      ],
      { seconds: 40, open: { h1: { seconds: 60, at: 1 }, h2: { seconds: 30, at: 9 } } },
    ),
    computing('a missing field equals no null', {}, { $eq: ['$nothing', null] }, [false]),
    computing('a missing field is less than null', {}, { $lt: ['$nothing', null] }, [true]),
    computing('comparison goes across types', { a: 'x' }, { $gt: ['$a', 99] }, [true]),
    computing(
      'numbers of different types are equal',
      { a: Long.fromNumber(1) },
      { $eq: ['$a', new Double(1)] },
      [true],
    ),
    computing('$cmp of dates', { a: new Date(1), b: new Date(2) }, { $cmp: ['$a', '$b'] }, [-1]),
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
      '$subtract of dates is a long of milliseconds',
      { a: new Date(50), b: new Date(20) },
      { $subtract: ['$a', '$b'] },
      [{ $numberLong: '30' }],
      { typed: true },
    ),
    computing('$subtract of milliseconds from a date', { a: new Date(50) }, { $subtract: ['$a', 20] }, [
      { $date: '1970-01-01T00:00:00.030Z' },
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
      '$divide is a double',
      { a: new Int32(6) },
      { $divide: ['$a', new Int32(3)] },
      [{ $numberDouble: '2.0' }],
      { typed: true },
    ),
    computing(
      '$subtract of longs beyond 2^53 is exact',
      { a: Long.fromString('9007199254740993') },
      { $subtract: ['$a', Long.fromNumber(1)] },
      [{ $numberLong: '9007199254740992' }],
      { typed: true },
    ),
    computing('$mod keeps the sign', { a: -7 }, { $mod: ['$a', 3] }, [-1]),
    computing(
      '$floor, $ceil and $trunc',
      { a: -1.5 },
      [{ $floor: '$a' }, { $ceil: '$a' }, { $trunc: '$a' }],
      [[-2, -1, -1]],
    ),
    computing(
      '$round goes half to even',
      {},
      [{ $round: [0.5, 0] }, { $round: [1.5, 0] }, { $round: [2.5, 0] }, { $round: [1.25, 1] }],
      [[0, 2, 2, 1.2]],
    ),
    computing(
      '$max and $min pass over null and missing',
      { a: null },
      [{ $max: ['$a', 3, '$b', 7] }, { $min: ['$a', 3, '$b', 7] }],
      [[7, 3]],
    ),
    computing('$max of nothing but null is null', { a: null }, { $max: ['$a', '$b'] }, [null]),
    computing('$max of an array looks into it', { a: [3, 9, 4] }, { $max: '$a' }, [9]),
    computing(
      '$sum of an array passes over what is no number',
      { a: [1, 'x', null, 2] },
      { $sum: '$a' },
      [3],
    ),
    computing('$sum of a missing field is zero', {}, { $sum: '$a' }, [0]),
    computing('$avg of no number is null', { a: ['x'] }, { $avg: '$a' }, [null]),
    computing('$size counts', { a: [1, [2, 3]] }, { $size: '$a' }, [2]),
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
      '$filter with $$this',
      { a: [1, 5, 9] },
      { $filter: { input: '$a', cond: { $gt: ['$$this', 4] } } },
      [[5, 9]],
    ),
    computing(
      '$map over missing fields makes nulls',
      { a: [{ x: 1 }, {}] },
      { $map: { input: '$a', as: 'e', in: '$$e.x' } },
      [[1, null]],
    ),
    computing('$map over null is null', { a: null }, { $map: { input: '$a', in: '$$this' } }, [null]),
    computing(
      '$reduce',
      { a: [1, 2, 3] },
      { $reduce: { input: '$a', initialValue: 10, in: { $add: ['$$value', '$$this'] } } },
      [16],
    ),
    computing(
      '$arrayElemAt from the end, and beyond it',
      { a: [1, 2] },
      [{ $arrayElemAt: ['$a', -1] }, { $arrayElemAt: ['$a', 5] }],
      [[2, null]],
    ),
    computing(
      '$first and $last',
      { a: [1, 2, 3], b: [] },
      [{ $first: '$a' }, { $last: '$a' }, { $first: '$b' }],
      [[1, 3, null]],
    ),
    computing(
      '$slice',
      { a: [1, 2, 3, 4] },
      [{ $slice: ['$a', 2] }, { $slice: ['$a', -1] }, { $slice: ['$a', 1, 2] }],
      [[[1, 2], [4], [2, 3]]],
    ),
    computing('$objectToArray', { a: { x: 1, y: null } }, { $objectToArray: '$a' }, [
      [
        { k: 'x', v: 1 },
        { k: 'y', v: null },
      ],
    ]),
    computing(
      '$arrayToObject from pairs',
      {
        a: [
          ['x', 1],
          ['y', 2],
        ],
      },
      { $arrayToObject: '$a' },
      [{ x: 1, y: 2 }],
    ),
    computing('a path through an array gathers', { a: [{ x: 1 }, {}, { x: 3 }, 5] }, '$a.x', [[1, 3]]),
    computing('a number in a path is no position', { a: [{ x: 1 }] }, '$a.0', [[]]),
    computing('a path through a scalar is missing', { a: 5 }, '$a.x', []),
    computing(
      '$let',
      { a: 3 },
      { $let: { vars: { b: { $add: ['$a', 1] } }, in: { $multiply: ['$$b', 2] } } },
      [8],
    ),
    computing(
      '$switch takes the first branch that holds',
      { a: 5 },
      {
        $switch: {
          branches: [branch({ $lt: ['$a', 3] }, 'low'), branch({ $lt: ['$a', 9] }, 'mid')],
          default: 'high',
        },
      },
      ['mid'],
    ),
    computing(
      '$type of everything',
      { a: 1, b: null, c: 'x', d: [1], e: new Date(0), f: new Double(1), g: Long.ONE },
      [
        { $type: '$a' },
        { $type: '$b' },
        { $type: '$c' },
        { $type: '$d' },
        { $type: '$e' },
        { $type: '$f' },
        { $type: '$g' },
        { $type: '$nothing' },
      ],
      [['int', 'null', 'string', 'array', 'date', 'double', 'long', 'missing']],
    ),
    computing(
      '$concat of null is null',
      { a: 'x' },
      [{ $concat: ['$a', 'y'] }, { $concat: ['$a', '$b'] }],
      [['xy', null]],
    ),
    computing('$literal keeps a dollar', {}, { $literal: '$a' }, ['$a']),
    computing(
      '$dateToString by a format, in UTC',
      { a: new Date('2024-02-29T23:59:59.999Z') },
      { $dateToString: { date: '$a', format: '%Y-%m-%d' } },
      ['2024-02-29'],
    ),
    computing(
      '$dateToString of a missing date is null',
      {},
      { $dateToString: { date: '$a', format: '%Y-%m-%d' } },
      [null],
    ),
    computing(
      '$dateTrunc by day',
      { a: new Date('2024-02-29T23:59:59.999Z') },
      { $dateTrunc: { date: '$a', unit: 'day' } },
      [{ $date: '2024-02-29T00:00:00Z' }],
      { referenceFault: 'DocumentDB truncates to the wrong day' },
    ),
    computing(
      '$setUnion and $setDifference are by value',
      { a: [1, 2] },
      [{ $setDifference: ['$a', [2, 3]] }, { $size: { $setUnion: ['$a', [2, 3]] } }],
      [[[1], 3]],
    ),
    refusing('$add of a string is refused', { a: 'x' }, { $add: ['$a', 1] }, 14),
    refusing('$subtract of a string is refused', { a: 'x' }, { $subtract: ['$a', 1] }, 14),
    refusing('$size of something else than an array is refused', { a: 5 }, { $size: '$a' }, 17124),
    refusing('$divide by zero is refused', { a: 5 }, { $divide: ['$a', 0] }, 2),
    refusing('$in without an array is refused', { a: 5 }, { $in: [1, '$a'] }, 40081, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('$concatArrays of a scalar is refused', { a: 5 }, { $concatArrays: ['$a', [1]] }, 28664, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing('an unknown variable is refused', { a: 5 }, '$$foo', 17276, {
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    refusing(
      'two expressions in one document are refused',
      { a: 5 },
      { $add: [1, 1], $subtract: [1, 1] },
      15983,
      { referenceFault: 'DocumentDB has no code of its own for it' },
    ),
    refusedUpdate('a stage that is not for updates is refused', { a: 5 }, [{ $match: { a: 5 } }], 72),
    refusedUpdate(
      '$replaceWith of something else than a document is refused',
      { a: 5 },
      [{ $replaceWith: '$a' }],
      40228,
      { referenceFault: 'DocumentDB has no code of its own for it' },
    ),
    refusedUpdate('array filters with a pipeline are refused', { a: [5] }, [{ $set: { b: 1 } }], 9, {
      options: { arrayFilters: [{ x: 1 }] },
      referenceFault: 'DocumentDB has no code of its own for it',
    }),
    {
      name: '$$NOW is one date in the whole command',
      referenceFault: 'DocumentDB has no $$NOW in updates',
      expected: ['date', true],
      async run(db) {
        const collection = await filled(db, [{ a: 1 }, { a: 2 }])
        await collection.updateMany({}, [{ $set: { at: '$$NOW', again: '$$NOW' } }])
        const [types] = await collection.aggregate([{ $project: { t: { $type: '$at' } } }]).toArray()
        const found = await collection.find().toArray()
        const instants = new Set(found.flatMap(row => [Number(row.at), Number(row.again)]))
        return [types?.t as unknown, instants.size === 1]
      },
    },
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
