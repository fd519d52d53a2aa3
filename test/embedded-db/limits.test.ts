import { type Collection, MongoClient } from 'mongodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedDb, startEmbeddedDb } from '../../scripts/embedded-db/index.js'

interface Row {
  _id: number
  [field: string]: unknown
}

let server: EmbeddedDb
let client: MongoClient
let rows: Collection<Row>

beforeAll(async () => {
  server = await startEmbeddedDb()
  client = new MongoClient(server.uri, { monitorCommands: true })
  rows = client.db('limits').collection<Row>('rows')
})

beforeEach(() => rows.deleteMany({}))

afterAll(async () => {
  await client.close()
  await server.close()
})

const MEGABYTE = 1024 * 1024

function nested(depth: number): Row {
  let value: unknown = {}
  for (let at = 2; at < depth; at++) value = { a: value }
  return { _id: depth, a: value }
}

describe('limits', () => {
  it('takes a document of 16 MB and not one of a byte more, made by an update or an upsert either', async () => {
    // `_id` (9 bytes), the field (7 and the text's NUL) and the document itself (5).
    const largest = 'x'.repeat(16 * MEGABYTE - 9 - 5 - 8)
    await rows.insertOne({ _id: 1, a: largest })
    await expect(rows.updateOne({ _id: 1 }, { $set: { b: 1 } })).rejects.toMatchObject({ code: 10334 })
    expect(await rows.countDocuments({ b: 1 })).toBe(0)
    await rows.insertOne({ _id: 2, a: largest.slice(0, -20) })
    const growing = rows.updateOne({ _id: 2 }, [{ $set: { b: ['$a', '$a'] } }])
    await expect(growing).rejects.toMatchObject({ code: 10334 })
    await expect(
      rows.updateOne({ a: `${largest}xxx` }, { $set: { b: 1 } }, { upsert: true }),
    ).rejects.toThrow()
  })

  it('hands out more than 16 MB in several batches, each document once', async () => {
    await rows.insertMany(Array.from({ length: 9 }, (_, _id) => ({ _id, a: 'x'.repeat(4 * MEGABYTE) })))
    let batches = 0
    client.on('commandSucceeded', ({ commandName }) => {
      if (commandName === 'find' || commandName === 'getMore') batches++
    })
    const ids = (await rows.find().batchSize(100).toArray()).map(({ _id }) => _id)
    expect(ids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(batches).toBeGreaterThanOrEqual(3)
  })

  it('takes a hundred levels and refuses more', async () => {
    await rows.insertOne(nested(100))
    await expect(rows.insertOne(nested(101))).rejects.toMatchObject({ code: 15 })
    await rows.insertOne({ _id: 1 })
    await expect(rows.updateOne({ _id: 1 }, { $set: { a: nested(100) } })).rejects.toMatchObject({ code: 15 })
  })

  it('goes on with a cursor while what it reads is changed and removed', async () => {
    await rows.createIndex({ n: 1 })
    await rows.insertMany(Array.from({ length: 1000 }, (_, n) => ({ _id: n, n })))
    const cursor = rows.find({ n: { $gte: 0 } }, { sort: { n: 1 }, batchSize: 10 })
    const seen: unknown[] = []
    for await (const { _id } of cursor) {
      seen.push(_id)
      if (seen.length === 5) {
        await rows.deleteMany({ n: { $gte: 100, $lt: 900 } })
        await rows.updateMany({ n: { $gte: 900 } }, { $set: { touched: true } })
        await rows.insertMany(Array.from({ length: 500 }, (_, n) => ({ _id: -1 - n, n: -1 - n })))
      }
    }
    const kept = Array.from({ length: 1000 }, (_, n) => n).filter(n => n < 100 || n >= 900)
    expect(seen).toEqual(kept)
  })
})
