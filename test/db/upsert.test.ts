import {
  type BulkWriteResult,
  type Document,
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
  type WriteError,
} from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { isDuplicateKey } from '../../lib/db/errors.js'
import { bulkUpsert, insertNew, insertOnce, retryUpsert, unlessTaken } from '../../lib/db/upsert.js'
import { field, isDoc } from '../../scripts/embedded-db/values.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { startWireProxy } from '../support/wire-proxy.js'

interface Counter extends Document {
  _id: string
  count: number
}

const counters = () => testDatabase().db.collection<Counter>('upserts')

const counting = (_id: string) => ({ filter: { _id }, update: { $inc: { count: 1 } } })

const stored = async () =>
  Object.fromEntries((await counters().find().toArray()).map(({ _id, count }) => [_id, count]))

const failure = (code: number) => new MongoServerError({ message: 'collided', code })
const collision = () => failure(11000)

beforeEach(emptyDatabase)

describe('retryUpsert', () => {
  it.each([
    ['a duplicate', 11000],
    ['a conflict', 112],
  ])('tries once more where it collided, and only there: %s', async (_, code) => {
    const collides = vi.fn().mockRejectedValueOnce(failure(code)).mockResolvedValueOnce('found')
    expect(await retryUpsert(collides)).toBe('found')
    expect(collides).toHaveBeenCalledTimes(2)

    const fails = vi.fn().mockRejectedValue(new Error('away'))
    await expect(retryUpsert(fails)).rejects.toThrow('away')
    expect(fails).toHaveBeenCalledTimes(1)
  })

  it('gives up where it collides again', async () => {
    const collides = vi.fn().mockRejectedValue(collision())
    await expect(retryUpsert(collides)).rejects.toSatisfy(isDuplicateKey)
    expect(collides).toHaveBeenCalledTimes(2)
  })
})

describe('unlessTaken', () => {
  it('says that somebody else was first, and nothing of other failures', async () => {
    expect(await unlessTaken(async () => 'mine')).toBe('mine')
    expect(await unlessTaken(() => Promise.reject(collision()))).toBeUndefined()
    await expect(unlessTaken(() => Promise.reject(new Error('away')))).rejects.toThrow('away')
  })

  it('tries once more after a conflict, which says nothing of who was first', async () => {
    const write = vi.fn().mockRejectedValueOnce(failure(112)).mockResolvedValueOnce('mine')
    expect(await unlessTaken(write)).toBe('mine')
  })
})

describe('insertOnce', () => {
  it('gives what is stored, which is the first of any number at once', async () => {
    const given = Array.from({ length: 20 }, (_, count) => ({ _id: 'a', count }))
    const stores = await Promise.all(given.map(document => insertOnce(counters(), document)))
    const [only] = await counters().find().toArray()
    expect(new Set(stores.map(({ count }) => count))).toEqual(new Set([only?.count]))
    expect(stores.filter((stored, i) => stored === given[i])).toHaveLength(1)
  })

  it('acknowledges nothing that is there but not on a majority', async () => {
    let isOnMajority = false
    const proxy = await startWireProxy(testDatabase().uri, async ({ name, message }, forward) => {
      const concern = field(message.command, 'readConcern')
      const isAsked = isDoc(concern) && field(concern, 'level') === 'majority'
      if (name !== 'find' || !isAsked || isOnMajority) return forward()
      return { ok: 1, cursor: { id: 0n, ns: `${testDatabase().name}.upserts`, firstBatch: [] } }
    })
    const client = new MongoClient(proxy.uri)
    try {
      const behind = client.db().collection<Counter>('upserts')
      await counters().insertOne({ _id: 'a', count: 1 })
      const again = () => insertOnce(behind, { _id: 'a', count: 2 })

      await expect(again()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
      isOnMajority = true
      expect(await again()).toEqual({ _id: 'a', count: 1 })
    } finally {
      await client.close()
      await proxy.close()
    }
  })
})

const ids = Array.from({ length: 10 }, (_, i) => `k${i}`)
// In one order: an engine that runs a bulk as one transaction would let two of them wait for each other.
const someOf = (i: number) => ids.slice(i % 5, 6 + (i % 5))

describe('insertNew', () => {
  it('says by position which were new, and leaves the others as they are', async () => {
    await counters().insertOne({ _id: 'b', count: 5 })
    const documents = ['a', 'b', 'c', 'a'].map(_id => ({ _id, count: 1 }))
    expect(await insertNew(counters(), documents)).toEqual(new Set([0, 2]))
    expect(await stored()).toEqual({ a: 1, b: 5, c: 1 })
  })

  it('calls each new once, whoever else inserts the same', async () => {
    const news = await Promise.all(
      Array.from({ length: 32 }, async (_, i) => {
        const fresh = await insertNew(
          counters(),
          someOf(i).map(_id => ({ _id, count: i })),
        )
        return [...fresh].map(at => someOf(i)[at])
      }),
    )
    expect(news.flat().sort()).toEqual(ids)
  })

  it('inserts those again that conflicted, and takes them for new', async () => {
    const collection = counters()
    await collection.insertOne({ _id: 'c', count: 5 })
    const insertMany = collection.insertMany.bind(collection)
    const conflict = (index: number) => ({ index, code: 112 })
    const insert = vi.spyOn(collection, 'insertMany').mockImplementationOnce(async ([first]) => {
      await insertMany([first as Counter])
      const result = { getWriteConcernError: () => undefined } as BulkWriteResult
      const writeErrors = [conflict(1), conflict(2)] as unknown as WriteError[]
      throw new MongoBulkWriteError({ message: 'conflicts', code: 112, writeErrors }, result)
    })

    const news = await insertNew(
      collection,
      ['a', 'b', 'c'].map(_id => ({ _id, count: 1 })),
    )

    expect([...news]).toEqual([0, 1])
    expect(insert).toHaveBeenCalledTimes(2)
    expect(await stored()).toEqual({ a: 1, b: 1, c: 5 })
  })
})

describe('bulkUpsert', () => {
  it('applies each, also the same twice, and none where there is none', async () => {
    await counters().insertOne({ _id: 'b', count: 5 })
    await bulkUpsert(counters(), ['a', 'b', 'c', 'a'].map(counting))
    await bulkUpsert(counters(), [])
    expect(await stored()).toEqual({ a: 2, b: 6, c: 1 })
  })

  it('applies each once, whoever else upserts the same', async () => {
    await Promise.all(Array.from({ length: 32 }, (_, i) => bulkUpsert(counters(), someOf(i).map(counting))))
    expect(Object.values(await stored()).reduce((sum, count) => sum + count)).toBe(32 * 6)
  })

  it('repeats only what collided', async () => {
    const collection = counters()
    const bulkWrite = collection.bulkWrite.bind(collection)
    const sent: number[] = []
    vi.spyOn(collection, 'bulkWrite').mockImplementation(async (operations, options) => {
      sent.push(operations.length)
      if (sent.length > 1) return bulkWrite(operations, options)
      // Of three, the second finds nothing, and somebody's document when it inserts its own.
      await counters().insertOne({ _id: 'b', count: 1 })
      const [first, , last] = operations
      const late = { filter: { _id: 'b', count: { $lt: 0 } }, update: { $inc: { count: 1 } }, upsert: true }
      const lost = { updateOne: late }
      return bulkWrite(
        [first, lost, last].flatMap(one => one ?? []),
        options,
      )
    })
    await bulkUpsert(collection, ['a', 'b', 'c'].map(counting))
    expect(sent).toEqual([3, 1])
    expect(await stored()).toEqual({ a: 1, b: 2, c: 1 })
  })

  it('does not repeat what failed for another reason', async () => {
    const collection = counters()
    const bulkWrite = vi.spyOn(collection, 'bulkWrite')
    await counters().insertOne({ _id: 'text', count: 'many' } as unknown as Counter)
    await expect(bulkUpsert(collection, [counting('text'), counting('a')])).rejects.toThrow()
    expect(bulkWrite).toHaveBeenCalledTimes(1)
    expect(await stored()).toMatchObject({ text: 'many' })
  })
})
