import { isDeepStrictEqual } from 'node:util'
import type { Document, Filter, IndexSpecification, UpdateFilter, UpdateOptions } from 'mongodb'
import type { ConformanceCase, Marks } from './conformance-case.js'
import { commandFailure, failure, typed } from './outcome.js'
import { filled, ids, type Row } from './rows.js'

/** One answer where all agree; else each under its name, so that a failing case shows which one strays. */
function agreed(answers: Record<string, unknown>): unknown {
  const [first, ...others] = Object.values(answers)
  return others.every(other => isDeepStrictEqual(other, first)) ? first : answers
}

/** The field a filter is about, for an index that may answer it. */
function indexFor(filter: Document): IndexSpecification[] {
  const field = Object.keys(filter).find(key => !key.startsWith('$') && key !== '_id')
  return field === undefined ? [] : [{ [field]: 1 }]
}

/**
 * Which documents a filter finds, as `_id`s ascending. Asked by scan and by count, and again once there is an index
 * on the filter's first field (or those in `indexes`), for a plan must never change an answer.
 */
export function matching(
  name: string,
  documents: Document[],
  filter: Document,
  expected: unknown[],
  { indexes = indexFor(filter), ...marks }: Marks & { indexes?: IndexSpecification[] } = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      const collection = await filled(db, documents)
      const find = async () =>
        ids(
          await collection
            .find(filter as Filter<Row>)
            .sort({ _id: 1 })
            .toArray(),
        )
      const answers: Record<string, unknown> = { scanned: await find() }
      for (const index of indexes) {
        const indexName = await collection.createIndex(index)
        answers[`with ${indexName}`] = ids(
          (await collection.find(filter as Filter<Row>).toArray()).sort(
            (a, b) => Number(a._id) - Number(b._id),
          ),
        )
        answers[`sorted, with ${indexName}`] = await find()
        await collection.dropIndex(indexName)
      }
      const count = await collection.countDocuments(filter as Filter<Row>)
      return count === expected.length ? agreed(answers) : { count, ...answers }
    },
  }
}

/** The order of `_id`s that a sort gives: by scan, then from an index, read forwards and read backwards. */
export function ordered(
  name: string,
  documents: Document[],
  sort: Record<string, 1 | -1>,
  expected: unknown[],
  { filter = {}, ...marks }: Marks & { filter?: Document } = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      const collection = await filled(db, documents)
      const find = async () =>
        ids(
          await collection
            .find(filter as Filter<Row>)
            .sort(sort)
            .toArray(),
        )
      const answers: Record<string, unknown> = { scanned: await find() }
      if (Object.keys(sort)[0] === '_id') return answers.scanned
      const reversed = Object.fromEntries(Object.entries(sort).map(([field, way]) => [field, -way as 1 | -1]))
      for (const index of [sort, reversed]) {
        const indexName = await collection.createIndex(index)
        answers[`with ${indexName}`] = await find()
        await collection.dropIndex(indexName)
      }
      return agreed(answers)
    },
  }
}

interface UpdateCase extends Marks {
  filter?: Document
  options?: UpdateOptions
  /** Compare as canonical extended JSON, where the type of a number is the point. */
  typed?: true
}

/** What an update makes of one document; `expected` is that document without its `_id`. */
export function updating(
  name: string,
  before: Document,
  update: Document | Document[],
  expected: unknown,
  { filter = { _id: 1 }, options = {}, typed: types, ...marks }: UpdateCase = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      const collection = await filled(db, [before])
      await collection.updateOne(filter as Filter<Row>, update as UpdateFilter<Row>, options)
      const after = await collection.findOne(
        {},
        { projection: { _id: 0 }, promoteValues: types === undefined },
      )
      return types ? typed(after) : after
    },
  }
}

/** An update that MongoDB refuses with this code, leaving the document as it was. */
export function refusedUpdate(
  name: string,
  before: Document,
  update: Document | Document[],
  code: number,
  { filter = { _id: 1 }, options = {}, ...marks }: Omit<UpdateCase, 'typed'> = {},
): ConformanceCase {
  return {
    name,
    expected: { code, untouched: true },
    ...marks,
    async run(db) {
      const collection = await filled(db, [before])
      const original = await collection.findOne({})
      const statement = { q: filter, u: update, ...options }
      const outcome = await commandFailure(db, { update: collection.collectionName, updates: [statement] })
      return { ...outcome, untouched: isDeepStrictEqual(await collection.findOne({}), original) }
    },
  }
}

/** A find command that MongoDB refuses with this code; sent as it is, for the driver would check some of it itself. */
export function refusedFind(
  name: string,
  command: Document,
  code: number,
  marks: Marks = {},
): ConformanceCase {
  return {
    name,
    expected: { code },
    ...marks,
    async run(db) {
      const collection = await filled(db, [{ a: 1, b: 2 }])
      return failure(db.command({ find: collection.collectionName, ...command }))
    },
  }
}

/** What a pipeline returns over some documents. */
export function aggregating(
  name: string,
  documents: Document[],
  pipeline: Document[],
  expected: unknown[],
  { typed: types, ...marks }: Marks & { typed?: true } = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      const collection = await filled(db, documents)
      const results = await collection.aggregate(pipeline, { promoteValues: types === undefined }).toArray()
      return types ? typed(results) : results
    },
  }
}

/** What a projection leaves of one document. */
export function projecting(
  name: string,
  document: Document,
  projection: Document,
  expected: unknown,
  { filter = {}, ...marks }: Marks & { filter?: Document } = {},
): ConformanceCase {
  return {
    name,
    expected,
    ...marks,
    async run(db) {
      const collection = await filled(db, [document])
      return collection.findOne(filter as Filter<Row>, { projection })
    },
  }
}
