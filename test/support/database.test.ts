import { beforeEach, describe, expect, inject, it } from 'vitest'
import { allCollections } from '../../lib/domain/registry.js'
import { deleteAllDocuments, emptyDatabase, testDatabase } from './database.js'

beforeEach(() => emptyDatabase())

describe('the database of a worker', () => {
  it('is named for the run and the worker', () => {
    const { name, uri, db } = testDatabase()

    expect(name).toBe(`leadline-test-${inject('databaseServer').runId}-${process.env.VITEST_POOL_ID}`)
    expect(new URL(uri).pathname).toBe(`/${name}`)
    expect(db.databaseName).toBe(name)
  })

  it('has the indexes of the product', async () => {
    const { db } = testDatabase()

    for (const { name, indexes } of allCollections.filter(({ indexes }) => indexes.length > 0)) {
      const existing = await db.collection(name).indexes()
      expect(existing.map(index => index.name)).toEqual(
        expect.arrayContaining(indexes.map(index => index.name)),
      )
    }
  })

  it('loses its documents but keeps its indexes', async () => {
    const [first, second] = [testDatabase().db.collection('first'), testDatabase().db.collection('second')]
    await first.createIndex({ phone: 1 }, { name: 'phone', unique: true })
    await first.insertMany([{ phone: '1' }, { phone: '2' }])
    await second.insertOne({ phone: '1' })

    await emptyDatabase()

    expect(await first.countDocuments()).toBe(0)
    expect(await second.countDocuments()).toBe(0)
    expect((await first.indexes()).map(index => index.name)).toEqual(['_id_', 'phone'])
  })

  it('is the only one that is emptied', async () => {
    const { client } = testDatabase()

    await expect(deleteAllDocuments(client.db('leadline'))).rejects.toThrow(
      `'leadline' is not a database of this test run`,
    )
  })
})
