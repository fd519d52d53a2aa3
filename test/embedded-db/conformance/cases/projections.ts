import { Long } from 'mongodb'
import { projecting } from '../builders.js'
import type { Subject } from '../conformance-case.js'

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
      'a dotted inclusion goes into arrays and drops their scalars',
      mixed,
      { 'a.b': 1 },
      { _id: 1, a: [{ b: 1 }, {}, [{ b: 7 }]] },
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
  ],
}
