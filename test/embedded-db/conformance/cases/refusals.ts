import type { ClientSession, Db, Document } from 'mongodb'
import type { ConformanceCase, Marks, Subject } from '../conformance-case.js'
import { commandFailure, failure, refusal } from '../outcome.js'
import { filled, rows } from '../rows.js'

/** A command that MongoDB refuses with this code. */
function refused(name: string, command: Document, code: number, marks: Marks = {}): ConformanceCase {
  return {
    name,
    expected: { code },
    ...marks,
    async run(db) {
      await filled(db, [{ a: 1 }])
      return commandFailure(db, command)
    },
  }
}

/** What MongoDB can and the embedded database cannot: it must say so by name, and never answer as if it had. */
function unsupported(name: string, named: string, act: (db: Db) => Promise<unknown>): ConformanceCase {
  return {
    name,
    expected: 'refused by name',
    embeddedOnly: true,
    async run(db) {
      await filled(db, [{ a: 1 }])
      return refusal(act(db), named)
    },
  }
}

const finding =
  (filter: Document, options: Document = {}) =>
  (db: Db) =>
    rows(db).find(filter, options).toArray()
const through =
  (...pipeline: Document[]) =>
  (db: Db) =>
    rows(db).aggregate(pipeline).toArray()
const indexing =
  (key: Document, options: Document = {}) =>
  (db: Db) =>
    db.command({ createIndexes: 'rows', indexes: [{ key, name: 'an_index', ...options }] })
const command = (document: Document) => (db: Db) => db.command(document)
const statement = (options: Document) => (db: Db) =>
  db.command({ update: 'rows', updates: [{ q: {}, u: { $set: { b: 1 } }, ...options }] })

export const refusals: Subject = {
  subject: 'errors and refusals',
  cases: [
    refused('an unknown command', { nonsense: 1 }, 59),
    unsupported('an unknown field of find', 'nonsense', command({ find: 'rows', nonsense: 1 })),
    refused('an insert without documents', { insert: 'rows' }, 40414),
    refused('an update without statements', { update: 'rows' }, 40414),
    refused('an update statement without an update', { update: 'rows', updates: [{ q: {} }] }, 40414),
    refused('a filter that is no document', { find: 'rows', filter: 5 }, 14),
    refused('a sort that is no document', { find: 'rows', sort: 5 }, 14),
    refused('a limit that is no number', { find: 'rows', limit: 'x' }, 14, {
      referenceFault: 'DocumentDB has another code',
    }),
    refused('documents that are no array', { insert: 'rows', documents: 5 }, 14),
    refused('an insert of no documents', { insert: 'rows', documents: [] }, 16),
    refused('an empty name of a collection', { insert: '', documents: [{}] }, 73),
    refused('a dollar in the name of a collection', { insert: 'a$b', documents: [{}] }, 73),
    refused('a name of a collection that starts with a dot', { insert: '.a', documents: [{}] }, 73),
    refused('dropIndexes where there is no collection', { dropIndexes: 'nowhere', index: 'a_1' }, 26),
    {
      name: 'an insert with an _id that is an array, or a regular expression, or has operators',
      referenceFault: 'DocumentDB has another code',
      expected: [53, 53, 52],
      async run(db) {
        const codes: unknown[] = []
        for (const _id of [[1], /x/, { $x: 1 }]) {
          const reply = await db.command({ insert: 'rows', documents: [{ _id }] })
          codes.push((reply.writeErrors as Document[] | undefined)?.[0]?.code)
        }
        return codes
      },
    },
    {
      name: 'an ordered insert that fails in the middle tells how many went in',
      expected: { n: 1, ok: 1, errors: [[1, 11000]] },
      async run(db) {
        const { n, ok, writeErrors } = await db.command({
          insert: 'rows',
          documents: [{ _id: 1 }, { _id: 1 }, { _id: 2 }],
        })
        return { n, ok, errors: (writeErrors as Document[]).map(error => [error.index, error.code]) }
      },
    },
    {
      name: 'an update statement that fails leaves the others, unordered',
      expected: { n: 2, nModified: 2, errors: [[1, 14]] },
      async run(db) {
        await filled(db, [{ a: 1 }, { a: 'x' }, { a: 1 }])
        const updates = [1, 2, 3].map(_id => ({ q: { _id }, u: { $inc: { a: 1 } } }))
        const { n, nModified, writeErrors } = await db.command({ update: 'rows', updates, ordered: false })
        return { n, nModified, errors: (writeErrors as Document[]).map(error => [error.index, error.code]) }
      },
    },
    {
      name: 'a document of more than 16 MB is refused',
      expected: [true, 0],
      async run(db) {
        const outcome = await failure(rows(db).insertOne({ _id: 1, text: 'x'.repeat(16 * 1024 * 1024) }))
        return ['code' in outcome, await rows(db).countDocuments()]
      },
    },
    {
      name: 'a document just below 16 MB comes back whole',
      expected: 16_000_000,
      async run(db) {
        await rows(db).insertOne({ _id: 1, text: 'x'.repeat(16_000_000) })
        return String((await rows(db).findOne())?.text).length
      },
    },
    {
      name: 'documents nest ninety deep, and not three hundred',
      referenceFault: 'DocumentDB has no such limit',
      expected: [90, 'refused', 1],
      async run(db) {
        const nested = (depth: number): Document => (depth === 0 ? {} : { n: nested(depth - 1) })
        await rows(db).insertOne({ _id: 1, ...nested(90) })
        const outcome = await failure(rows(db).insertOne({ _id: 2, ...nested(300) }))
        let depth = 0
        for (
          let at = (await rows(db).findOne({ _id: 1 })) as Document | undefined;
          at?.n;
          at = at.n as Document
        )
          depth += 1
        return [depth, 'succeeded' in outcome ? 'stored' : 'refused', await rows(db).countDocuments()]
      },
    },
    unsupported('a collation in find', 'collation', finding({ a: 1 }, { collation: { locale: 'de' } })),
    unsupported(
      'a collation in an update statement',
      'collation',
      statement({ collation: { locale: 'de' } }),
    ),
    unsupported(
      'a collation of a collection',
      'collation',
      command({ create: 'other', collation: { locale: 'de' } }),
    ),
    unsupported('a collation of an index', 'collation', indexing({ a: 1 }, { collation: { locale: 'de' } })),
    unsupported('variables of find', 'let', finding({ a: 1 }, { let: { x: 1 } })),
    unsupported('a tailable cursor', 'tailable', command({ find: 'rows', tailable: true })),
    unsupported('a capped collection', 'capped', command({ create: 'other', capped: true, size: 1000 })),
    unsupported('a time series', 'timeseries', command({ create: 'other', timeseries: { timeField: 't' } })),
    unsupported('a view', 'viewOn', command({ create: 'other', viewOn: 'rows', pipeline: [] })),
    unsupported('a validator', 'validator', command({ create: 'other', validator: { a: 1 } })),
    unsupported('$where', '$where', finding({ $where: 'this.a === 1' })),
    unsupported('$text', '$text', finding({ $text: { $search: 'x' } })),
    unsupported('$near', '$near', finding({ a: { $near: [0, 0] } })),
    unsupported(
      '$geoWithin',
      '$geoWithin',
      finding({
        a: {
          $geoWithin: {
            $box: [
              [0, 0],
              [1, 1],
            ],
          },
        },
      }),
    ),
    unsupported('$jsonSchema', '$jsonSchema', finding({ $jsonSchema: { required: ['a'] } })),
    unsupported('$bitsAllSet', '$bitsAllSet', finding({ a: { $bitsAllSet: 1 } })),
    unsupported('$bit', '$bit', db => rows(db).updateOne({}, { $bit: { a: { and: 1 } } })),
    unsupported('a text index', 'text', indexing({ a: 'text' })),
    unsupported('a hashed index', 'hashed', indexing({ a: 'hashed' })),
    unsupported('a geographic index', '2dsphere', indexing({ a: '2dsphere' })),
    unsupported('a wildcard index', '$**', indexing({ '$**': 1 })),
    unsupported('a hidden index', 'hidden', indexing({ a: 1 }, { hidden: true })),
    unsupported('$out', '$out', through({ $out: 'other' })),
    unsupported('$merge', '$merge', through({ $merge: 'other' })),
    unsupported(
      '$graphLookup',
      '$graphLookup',
      through({
        $graphLookup: { from: 'rows', startWith: '$a', connectFromField: 'a', connectToField: 'b', as: 'c' },
      }),
    ),
    unsupported('$geoNear', '$geoNear', through({ $geoNear: { near: [0, 0], distanceField: 'd' } })),
    unsupported('a change stream', '$changeStream', through({ $changeStream: {} })),
    unsupported(
      '$function',
      '$function',
      through({ $match: { $expr: { $function: { body: 'function () {}', args: [], lang: 'js' } } } }),
    ),
    unsupported(
      '$accumulator',
      '$accumulator',
      through({
        $group: {
          _id: null,
          x: {
            $accumulator: {
              init: 'function () {}',
              accumulate: 'function () {}',
              merge: 'function () {}',
              lang: 'js',
            },
          },
        },
      }),
    ),
    unsupported(
      'mapReduce',
      'mapReduce',
      command({ mapReduce: 'rows', map: 'function () {}', reduce: 'function () {}', out: { inline: 1 } }),
    ),
    unsupported('collMod', 'collMod', command({ collMod: 'rows' })),
    unsupported('a $where inside an update', '$where', db =>
      rows(db).updateOne({ $where: 'true' }, { $set: { a: 2 } }),
    ),
    unsupported(
      'a $jsonSchema in a pipeline',
      '$jsonSchema',
      through({ $match: { $jsonSchema: { required: ['a'] } } }),
    ),
    {
      name: 'a transaction is refused, and writes nothing',
      expected: [{ code: 238 }, false, 0],
      embeddedOnly: true,
      async run(db) {
        const inTransaction = async (act: (session: ClientSession) => Promise<unknown>) => {
          const session = db.client.startSession()
          session.startTransaction()
          const outcome = await failure(act(session))
          await session.abortTransaction().catch(() => undefined)
          await session.endSession()
          return outcome
        }
        const found = await inTransaction(session => rows(db).findOne({}, { session }))
        const inserted = await inTransaction(session => rows(db).insertOne({ _id: 1 }, { session }))
        return [found, 'succeeded' in inserted, await rows(db).countDocuments()]
      },
    },
    {
      name: 'what was refused changed nothing',
      expected: [{ _id: 1, a: 1 }],
      embeddedOnly: true,
      async run(db) {
        await filled(db, [{ a: 1 }])
        await failure(rows(db).updateMany({}, { $set: { a: 2 } }, { collation: { locale: 'de' } }))
        await failure(rows(db).deleteMany({}, { collation: { locale: 'de' } }))
        await failure(rows(db).findOneAndDelete({}, { collation: { locale: 'de' } }))
        return rows(db).find().toArray()
      },
    },
  ],
}
