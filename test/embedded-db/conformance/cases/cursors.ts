import { type Db, type Document, Long } from 'mongodb'
import { ordered } from '../builders.js'
import type { Subject } from '../conformance-case.js'
import { failure } from '../outcome.js'
import { filled, ids, rows } from '../rows.js'

const numbered = (length: number) => Array.from({ length }, (_, index) => ({ n: index }))

const second = (iso: string) => new Date(`2026-01-01T00:00:${iso}Z`)

/** Six leads of two microsites; three share one instant, so that only the _id tells their order. */
const leads = [
  { microsite: 'x.example', createdAt: second('03') },
  { microsite: 'x.example', createdAt: second('01') },
  { microsite: 'x.example', createdAt: second('03') },
  { microsite: 'y.example', createdAt: second('02') },
  { microsite: 'x.example', createdAt: second('03') },
  { microsite: 'x.example', createdAt: null },
  { microsite: 'x.example', createdAt: second('00') },
]

/** A reply's cursor as the 64-bit number that getMore insists on; the driver reads small ones as plain numbers. */
const cursorId = (reply: Document) => Long.fromString(String(reply.cursor.id))

export const cursors: Subject = {
  subject: 'sort, skip, limit and cursors',
  cases: [
    ordered(
      'three keys',
      [
        { a: 1, b: 1, c: 1 },
        { a: 1, b: 1, c: 2 },
        { a: 1, b: 0, c: 3 },
        { a: 0, b: 9, c: 9 },
      ],
      { a: -1, b: 1, c: -1 },
      [3, 2, 1, 4],
    ),
    ordered(
      'a sort behind an equality',
      [
        { k: 1, n: 3 },
        { k: 2, n: 1 },
        { k: 1, n: 1 },
        { k: 1, n: 2 },
      ],
      { n: 1 },
      [3, 4, 1],
      { filter: { k: 1 } },
    ),
    ordered('a sort on the field of an $in', [{ n: 2 }, { n: 3 }, { n: 1 }, { n: 5 }], { n: -1 }, [2, 1, 3], {
      filter: { n: { $in: [1, 3, 2] } },
    }),
    ordered(
      'a sort on a dotted field',
      [{ a: { n: 3 } }, { a: { n: 1 } }, { a: 5 }, { a: { n: 2 } }],
      { 'a.n': -1 },
      [1, 4, 2, 3],
    ),
    {
      name: 'a page after a key: earlier, or at the same instant with a lesser _id',
      expected: [[5, 3], [1, 2], [7], []],
      async run(db) {
        const collection = await filled(db, leads)
        await collection.createIndex({ microsite: 1, createdAt: -1, _id: -1 })
        const pages: unknown[] = []
        let filter: object = { microsite: 'x.example', createdAt: { $gte: new Date(0) } }
        for (let page = 0; page < 4; page += 1) {
          const found = await collection.find(filter).sort({ createdAt: -1, _id: -1 }).limit(2).toArray()
          pages.push(ids(found))
          const last = found.at(-1)
          if (last === undefined) break
          const { createdAt, _id } = last
          filter = {
            microsite: 'x.example',
            $or: [{ createdAt: { $lt: createdAt } }, { createdAt, _id: { $lt: _id } }],
          }
        }
        return pages
      },
    },
    {
      name: 'a sort with an $in before it, from an index and without',
      expected: [
        [5, 4, 3, 1, 0],
        [5, 4, 3, 1, 0],
      ],
      async run(db) {
        const collection = await filled(db, [
          { k: 'a', n: 0 },
          { k: 'b', n: 1 },
          { k: 'c', n: 2 },
          { k: 'a', n: 3 },
          { k: 'b', n: 4 },
          { k: 'a', n: 5 },
        ])
        const ask = async () => {
          const found = await collection
            .find({ k: { $in: ['b', 'a'] } })
            .sort({ n: -1 })
            .toArray()
          return found.map(row => row.n as unknown)
        }
        const scanned = await ask()
        await collection.createIndex({ k: 1, n: -1 })
        return [scanned, await ask()]
      },
    },
    {
      name: 'skip and limit within a sort',
      expected: [7, 6, 5],
      run: async db => {
        const found = await (await filled(db, numbered(10))).find().sort({ n: -1 }).skip(2).limit(3).toArray()
        return found.map(row => row.n as unknown)
      },
    },
    {
      name: 'a skip beyond the end gives nothing',
      expected: [],
      run: async db => (await filled(db, numbered(3))).find().skip(5).toArray(),
    },
    {
      name: 'limit 0 is no limit',
      expected: 12,
      run: async db => (await (await filled(db, numbered(12))).find().limit(0).toArray()).length,
    },
    {
      name: 'counts of a collection that is not there',
      expected: [0, 0, []],
      run: async db => [
        await rows(db).countDocuments(),
        await rows(db).estimatedDocumentCount(),
        await rows(db).distinct('a'),
      ],
    },
    {
      name: 'a first batch has 101 documents, the next batches the rest',
      expected: [101, 205],
      async run(db) {
        const collection = await filled(db, numbered(205))
        const reply = await db.command({ find: 'rows' })
        return [reply.cursor.firstBatch.length as unknown, (await collection.find().toArray()).length]
      },
    },
    {
      name: 'getMore gives as many as asked, and id 0 when there is no more',
      expected: [2, 3, 2, '0'],
      async run(db) {
        await filled(db, numbered(7))
        const first = await db.command({ find: 'rows', batchSize: 2 })
        const getMore = cursorId(first)
        const second = await db.command({ getMore, collection: 'rows', batchSize: 3 })
        const third = await db.command({ getMore, collection: 'rows' })
        return [
          first.cursor.firstBatch.length as unknown,
          second.cursor.nextBatch.length as unknown,
          third.cursor.nextBatch.length as unknown,
          String(third.cursor.id),
        ]
      },
    },
    {
      name: 'batch size 0 opens a cursor and gives nothing yet',
      expected: [0, 3],
      async run(db) {
        await filled(db, numbered(3))
        const first = await db.command({ find: 'rows', batchSize: 0 })
        const next = await db.command({ getMore: cursorId(first), collection: 'rows' })
        return [first.cursor.firstBatch.length as unknown, next.cursor.nextBatch.length as unknown]
      },
    },
    {
      name: 'a single batch leaves no cursor',
      expected: [3, '0'],
      async run(db) {
        await filled(db, numbered(9))
        const { cursor } = await db.command({ find: 'rows', batchSize: 3, singleBatch: true })
        return [cursor.firstBatch.length as unknown, String(cursor.id)]
      },
    },
    {
      name: 'a limit across batches',
      expected: [7, 7],
      async run(db) {
        const found = await (await filled(db, numbered(20)))
          .find()
          .sort({ n: 1 })
          .batchSize(3)
          .limit(7)
          .toArray()
        return [found.length, new Set(ids(found)).size]
      },
    },
    {
      name: 'a cursor that was killed is gone',
      expected: [true, { code: 43 }],
      async run(db) {
        await filled(db, numbered(9))
        const cursor = cursorId(await db.command({ find: 'rows', batchSize: 2 }))
        const { cursorsKilled } = await db.command({ killCursors: 'rows', cursors: [cursor] })
        const killed = (cursorsKilled as unknown[]).map(String).includes(String(cursor))
        return [killed, await failure(db.command({ getMore: cursor, collection: 'rows' }))]
      },
    },
    {
      name: 'killing a cursor that is not there says so',
      referenceFault: 'The gateway before DocumentDB passes over it',
      expected: ['12345'],
      async run(db) {
        const reply = await db.command({ killCursors: 'rows', cursors: [Long.fromNumber(12345)] })
        return (reply.cursorsNotFound as unknown[]).map(String)
      },
    },
    {
      name: 'getMore on a cursor that never was',
      expected: { code: 43 },
      run: async db => failure(db.command({ getMore: Long.fromNumber(12345), collection: 'rows' })),
    },
    {
      name: 'more than 16 MB come in several batches',
      expected: [24, 24_000_000],
      async run(db) {
        const collection = rows(db)
        const text = 'x'.repeat(1_000_000)
        for (let part = 0; part < 3; part += 1) {
          await collection.insertMany(
            Array.from({ length: 8 }, (_, index) => ({ _id: part * 8 + index, text })),
          )
        }
        const found = await collection.find().toArray()
        return [found.length, found.reduce((sum, row) => sum + String(row.text).length, 0)]
      },
    },
    {
      name: 'documents deleted while a cursor is open do no harm',
      expected: true,
      async run(db) {
        const collection = await filled(db, numbered(300))
        const cursor = collection.find().batchSize(10)
        await cursor.next()
        await collection.deleteMany({ n: { $gte: 150 } })
        const left = (await cursor.toArray()).length
        return left >= 149 && left < 300
      },
    },
    ...[{}, { n: 1 as const }, { n: -1 as const }].map(sort => ({
      name: `what was there and stays comes once, whatever is written meanwhile (sort ${JSON.stringify(sort)})`,
      expected: [100, 100],
      async run(db: Db) {
        const collection = await filled(
          db,
          Array.from({ length: 200 }, (_, n) => ({ n, stays: n % 2 === 0 })),
        )
        await collection.createIndex({ n: 1 })
        const seen: unknown[] = []
        let written = 0
        for await (const row of collection
          .find({ n: { $gte: -1e9 } })
          .sort(sort)
          .batchSize(9)) {
          if (row.stays === true) seen.push(row._id)
          if (written >= 3000) continue
          const others = Array.from({ length: 50 }, (_, index) => {
            const n = ((written + index) * 37) % 400
            return { _id: `new ${written + index}`, n: n / 2 + 0.25 }
          })
          await collection.insertMany(others)
          await collection.deleteMany({ stays: false, n: { $lt: written / 10 } })
          written += others.length
        }
        return [seen.length, new Set(seen).size]
      },
    })),
    {
      name: 'documents changed while a cursor goes along an index come at most once each',
      expected: true,
      async run(db) {
        const collection = await filled(db, numbered(60))
        await collection.createIndex({ n: 1 })
        const seen: unknown[] = []
        for await (const row of collection.find({ n: { $gte: 0 } }).batchSize(7)) {
          seen.push(row._id)
          if (seen.length > 500) break
          if (row.n < 1000) await collection.updateOne({ _id: row._id }, { $set: { moved: true } })
        }
        return new Set(seen).size === 60 && seen.length === 60
      },
    },
  ],
}
