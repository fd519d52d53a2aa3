import { setTimeout as pause } from 'node:timers/promises'
import type { Document } from 'mongodb'
import type { Subject } from '../conformance-case.js'
import { failure } from '../outcome.js'
import { filled, rows } from '../rows.js'

export const commands: Subject = {
  subject: 'sessions and commands',
  cases: [
    {
      name: 'hello tells a writable server and its limits',
      expected: {
        isWritablePrimary: true,
        readOnly: false,
        maxBsonObjectSize: 16777216,
        maxWriteBatchSize: 100000,
        maxMessageSizeBytes: 48000000,
        sessions: 'number',
        ok: 1,
      },
      async run(db) {
        const {
          isWritablePrimary,
          readOnly,
          maxBsonObjectSize,
          maxWriteBatchSize,
          maxMessageSizeBytes,
          logicalSessionTimeoutMinutes,
          ok,
        } = await db.command({ hello: 1 })
        return {
          isWritablePrimary,
          readOnly,
          maxBsonObjectSize,
          maxWriteBatchSize,
          maxMessageSizeBytes,
          sessions: typeof logicalSessionTimeoutMinutes,
          ok,
        }
      },
    },
    {
      name: 'hello tells a standalone server',
      expected: [null, null],
      embeddedOnly: true,
      async run(db) {
        const { setName, msg } = await db.command({ hello: 1 })
        return [setName ?? null, msg ?? null]
      },
    },
    {
      name: 'ping and buildInfo',
      expected: [1, true, 4],
      async run(db) {
        const { version, versionArray } = await db.command({ buildInfo: 1 })
        return [
          (await db.command({ ping: 1 })).ok,
          /^\d+\.\d+\.\d+/.test(version as string),
          (versionArray as number[]).length,
        ]
      },
    },
    {
      name: 'a session is accepted on reads and writes, and ends',
      expected: [{ _id: 1, n: 1 }, 1],
      async run(db) {
        const session = db.client.startSession()
        await rows(db).insertOne({ _id: 1, n: 0 }, { session })
        await rows(db).updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session })
        const row = await rows(db).findOne({ _id: 1 }, { session })
        await session.endSession()
        const { ok } = await db.command({ endSessions: [] })
        return [row, ok]
      },
    },
    {
      name: 'a write without acknowledgement is done soon',
      expected: [{ _id: 1 }],
      async run(db) {
        await rows(db).insertOne({ _id: 1 }, { writeConcern: { w: 0 } })
        for (let tries = 0; tries < 400 && (await rows(db).countDocuments()) === 0; tries += 1)
          await pause(25)
        return rows(db).find().toArray()
      },
    },
    {
      name: 'a write concern of the majority, with journal, is met',
      expected: { n: 1, ok: 1 },
      async run(db) {
        const { n, ok } = await db.command({
          insert: 'rows',
          documents: [{}],
          writeConcern: { w: 'majority', j: true, wtimeout: 1000 },
        })
        return { n, ok }
      },
    },
    {
      name: 'what a majority has is read',
      expected: [{ _id: 1, a: 1 }],
      run: async db =>
        (await filled(db, [{ a: 1 }])).find({}, { readConcern: { level: 'majority' } }).toArray(),
    },
    {
      name: 'a comment and a time limit change nothing',
      expected: [{ _id: 1, a: 1 }],
      run: async db =>
        (await filled(db, [{ a: 1 }])).find({}, { comment: 'why', maxTimeMS: 60_000 }).toArray(),
    },
    {
      name: 'the first insert makes the collection, a find does not',
      expected: [[], ['rows']],
      async run(db) {
        await rows(db).find().toArray()
        const before = await db.listCollections({}, { nameOnly: true }).toArray()
        await rows(db).insertOne({ _id: 1 })
        const after = await db.listCollections({}, { nameOnly: true }).toArray()
        return [before.map(({ name }) => name), after.map(({ name }) => name)]
      },
    },
    {
      name: 'an update that finds nothing makes no collection it can do without',
      expected: { n: 0, nModified: 0, ok: 1 },
      async run(db) {
        const { n, nModified, ok } = await db.command({
          update: 'rows',
          updates: [{ q: { a: 1 }, u: { $set: { b: 1 } } }],
        })
        return { n, nModified, ok }
      },
    },
    {
      name: 'listCollections by name',
      expected: ['b'],
      async run(db) {
        for (const name of ['a', 'b', 'c']) await db.createCollection(name)
        return (await db.listCollections({ name: 'b' }).toArray()).map(({ name }) => name)
      },
    },
    {
      name: 'listCollections tells the type',
      expected: { name: 'rows', type: 'collection' },
      async run(db) {
        await db.createCollection('rows')
        const [collection] = (await db.listCollections().toArray()) as Document[]
        return { name: collection?.name as unknown, type: collection?.type as unknown }
      },
    },
    {
      name: 'create of what is there leaves it',
      expected: 1,
      async run(db) {
        await filled(db, [{ a: 1 }])
        await failure(db.command({ create: 'rows' }))
        return rows(db).countDocuments()
      },
    },
    {
      name: 'drop takes documents and indexes',
      expected: [0, ['_id_']],
      async run(db) {
        await (await filled(db, [{ a: 1 }])).createIndex({ a: 1 })
        await rows(db).drop()
        await rows(db).createIndex({ _id: 1 })
        return [await rows(db).countDocuments(), (await rows(db).indexes()).map(index => index.name)]
      },
    },
    {
      name: 'dropDatabase takes every collection',
      expected: [],
      async run(db) {
        await rows(db).insertOne({ _id: 1 })
        await db.createCollection('other')
        await db.dropDatabase()
        return db.listCollections().toArray()
      },
    },
    {
      name: 'listDatabases shows a database with something in it',
      expected: [true, false],
      async run(db) {
        await rows(db).insertOne({ _id: 1 })
        const names = async () =>
          (await db.admin().listDatabases({ nameOnly: true })).databases.map(({ name }) => name)
        const before = (await names()).includes(db.databaseName)
        await db.dropDatabase()
        return [before, (await names()).includes(db.databaseName)]
      },
    },
    {
      name: 'databases are apart',
      expected: [1, 0],
      async run(db) {
        const other = db.client.db(`${db.databaseName}-b`)
        await rows(db).insertOne({ _id: 1 })
        return [await rows(db).countDocuments(), await rows(other).countDocuments()]
      },
    },
    {
      name: 'dbStats and collStats count',
      referenceFault: 'DocumentDB counts late',
      expected: [1, 3, 3],
      async run(db) {
        await filled(db, [{ a: 1 }, { a: 2 }, { a: 3 }])
        const { collections, objects } = await db.command({ dbStats: 1 })
        const { count } = await db.command({ collStats: 'rows' })
        return [collections, objects, count]
      },
    },
    {
      name: 'a bulk of several kinds in order',
      expected: [
        { insertedCount: 2, matchedCount: 2, modifiedCount: 2, upsertedCount: 1, deletedCount: 1 },
        [
          { _id: 1, n: 2 },
          { _id: 3, n: 7 },
        ],
      ],
      async run(db) {
        const result = await rows(db).bulkWrite([
          { insertOne: { document: { _id: 1, n: 0 } } },
          { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 1 } } } },
          { insertOne: { document: { _id: 2, n: 0 } } },
          { updateOne: { filter: { _id: 3 }, update: { $set: { n: 7 } }, upsert: true } },
          { deleteOne: { filter: { _id: 2 } } },
          { replaceOne: { filter: { _id: 1 }, replacement: { n: 2 } } },
        ])
        const { insertedCount, matchedCount, modifiedCount, upsertedCount, deletedCount } = result
        return [
          { insertedCount, matchedCount, modifiedCount, upsertedCount, deletedCount },
          await rows(db).find().sort({ _id: 1 }).toArray(),
        ]
      },
    },
    {
      name: 'an insert of ten thousand documents in one message',
      expected: [10_000, 10_000],
      async run(db) {
        const { insertedCount } = await rows(db).insertMany(
          Array.from({ length: 10_000 }, (_, index) => ({ _id: index, text: `row ${index}` })),
        )
        return [insertedCount, await rows(db).countDocuments()]
      },
    },
    {
      name: 'a time limit that is ample is met',
      expected: [{ _id: 1, a: 1 }],
      run: async db => (await filled(db, [{ a: 1 }])).find().maxTimeMS(60_000).toArray(),
    },
    {
      name: 'connectionStatus tells nobody is logged in',
      expected: [],
      run: async db => (await db.command({ connectionStatus: 1 })).authInfo.authenticatedUsers as unknown,
    },
    {
      name: 'hostInfo, the first question of database browsers, is answered',
      expected: 1,
      referenceFault: 'knows no hostInfo',
      run: async db => (await db.admin().command({ hostInfo: 1 })).ok as unknown,
    },
  ],
}
