import { isDeepStrictEqual } from 'node:util'
import { type CreateIndexesOptions, type Document, Double, type Filter, Long, ObjectId } from 'mongodb'
import type { ConformanceCase, Subject } from '../conformance-case.js'
import { filled, ids, type Row } from '../rows.js'

const documentsPerRun = 60
const filtersPerRun = 40

/** Numbers from 0 to below 1, the same for the same seed (Park and Miller's generator). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

type Random = ReturnType<typeof random>
type Index = [Record<string, 1 | -1>, CreateIndexesOptions]

function one<T>(next: Random, choices: readonly T[]): T {
  return choices[Math.floor(next() * choices.length)] as T
}

const scalars = [
  1,
  2,
  3,
  new Double(2.5),
  Long.fromNumber(2),
  'a',
  'b',
  '',
  null,
  true,
  new Date(1),
  new Date(2),
  new ObjectId('000000000000000000000001'),
]
const values = [
  ...scalars,
  ...scalars,
  undefined,
  [],
  [1, 3],
  [null],
  ['a', 2],
  [[1]],
  {},
  { x: 1 },
  { x: null },
  { x: [1, 3] },
  [{ x: 1 }, { x: 3 }],
  [{ x: 2 }, {}],
  [{ x: 'a' }, 5],
]
const fields = ['a', 'a', 'b', 'a.x', 'b.x', 'a.0'] as const

/** Indexes on a and b; none compounds the two, for both may hold arrays in one document. */
const indexes: Index[] = [
  [{ a: 1 }, {}],
  [{ a: -1 }, {}],
  [{ b: 1 }, {}],
  [{ k: 1, a: 1 }, {}],
  [{ a: 1, k: -1 }, {}],
  [{ k: 1, b: -1, _id: 1 }, {}],
  [{ k: 1, n: -1, _id: -1 }, {}],
  [{ n: 1, k: 1, _id: 1 }, {}],
  [{ k: -1, n: 1, _id: 1 }, {}],
  [{ k: 1, _id: -1 }, {}],
  [{ 'a.x': 1 }, {}],
  [{ a: 1 }, { sparse: true }],
  [{ 'a.x': 1, k: 1 }, { sparse: true }],
  [{ a: 1 }, { partialFilterExpression: { a: { $exists: true } } }],
  [{ k: 1 }, { partialFilterExpression: { a: { $gt: 1 } } }],
  [{ a: 1 }, { partialFilterExpression: { 'a.0': { $exists: true } } }],
  [{ b: 1 }, { partialFilterExpression: { b: { $gte: 0 } } }],
]

function condition(next: Random): unknown {
  const value = () => one(next, [...scalars, ...scalars, [1, 3], [], { x: 1 }])
  const range = () =>
    one(
      next,
      scalars.filter(scalar => scalar !== null),
    )
  return one(next, [
    value,
    () => ({ $eq: value() }),
    () => ({ $ne: value() }),
    () => ({ $gt: range() }),
    () => ({ $gte: range() }),
    () => ({ $lt: range() }),
    () => ({ $lte: range() }),
    () => ({ $gt: range(), $lt: range() }),
    () => ({ $gte: 1, $lte: 2 }),
    () => ({ $in: [value(), value(), value()] }),
    () => ({ $nin: [value(), value()] }),
    () => ({ $exists: next() < 0.5 }),
    () => ({ $not: { $gt: range() } }),
    () => ({ $not: { $eq: value() } }),
  ])()
}

function filterOf(next: Random): Document {
  const clause = (): Document => ({ [one(next, fields)]: condition(next) })
  return one(next, [
    clause,
    clause,
    () => ({ k: one(next, [0, 1]), ...clause() }),
    () => ({ k: { $in: [0, 2] }, ...clause() }),
    () => ({ k: { $in: [2, 0, 1] }, n: { $in: [3, 1] } }),
    () => ({ k: { $in: [1, 2] }, n: { $gte: 1 } }),
    () => ({ ...clause(), ...clause() }),
    () => ({ $and: [clause(), clause()] }),
    () => ({ $or: [clause(), clause()] }),
    () => ({ k: 1, $or: [clause(), clause()] }),
  ])()
}

/**
 * Filters and sorts drawn at random, each asked by scan and then with every index in turn: an index may change how an
 * answer is found and must not change the answer. What disagrees is shown; nothing should.
 */
function agreeing(seed: number): ConformanceCase {
  return {
    name: `what a scan finds, every index finds (seed ${seed})`,
    expected: [],
    // The embedded planner is on trial; some of these filters bring DocumentDB down.
    embeddedOnly: true,
    async run(db) {
      const next = random(seed)
      const documents = Array.from({ length: documentsPerRun }, () => {
        const drawn = {
          k: one(next, [0, 1, 2]),
          a: one(next, values),
          b: one(next, values),
          n: one(next, [0, 1, 2, 3, null]),
        }
        return Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined))
      })
      const collection = await filled(db, documents)
      const questions = Array.from({ length: filtersPerRun }, () => {
        const sort = one<Record<string, 1 | -1>>(next, [
          { _id: 1 },
          { a: 1, _id: 1 },
          { a: -1, _id: -1 },
          { k: 1, b: -1, _id: 1 },
          { n: -1, _id: -1 },
          { n: 1, _id: 1 },
        ])
        return { filter: filterOf(next), sort }
      })
      const ask = () =>
        Promise.all(
          questions.map(async ({ filter, sort }) =>
            ids(
              await collection
                .find(filter as Filter<Row>)
                .sort(sort)
                .toArray(),
            ),
          ),
        )
      const scanned = await ask()
      const disagreements: unknown[] = []
      for (const [keys, options] of indexes) {
        const name = await collection.createIndex(keys, options)
        const found = await ask()
        for (const [question, answer] of found.entries()) {
          if (isDeepStrictEqual(answer, scanned[question])) continue
          disagreements.push({
            ...questions[question],
            keys,
            options,
            scanned: scanned[question],
            found: answer,
          })
        }
        await collection.dropIndex(name)
      }
      return disagreements
    },
  }
}

export const indexAgreement: Subject = {
  subject: 'indexes against scans',
  cases: [1, 2, 3, 4, 5, 6].map(agreeing),
}
