import { ObjectId } from 'mongodb'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { collection } from '../../lib/db/collection.js'
import { testDatabase } from '../support/database.js'
import { call } from '../support/request.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { type Deployment, deploy, observeClients } from './deployment.js'

const SECRET = 'asha-9811100000'

let deployment: Deployment

function stored() {
  return testDatabase().db.collection('widgetconfigs')
}

beforeEach(async () => {
  await testDatabase().db.dropDatabase()
  deployment = await deploy({ MONGO_URI: testDatabase().uri })
})

afterEach(() => deployment.stop())

// The next file of this worker makes the indexes first of all, and would meet the data that breaks them.
afterAll(() => testDatabase().db.dropDatabase())

describe('a unique index over data that breaks it', () => {
  beforeEach(() =>
    stored().insertMany([{ projectId: SECRET }, { projectId: SECRET }, { projectId: 'other' }]),
  )

  function health() {
    return call<{ message: string; details: { path: string; message: string }[] }>(
      deployment.health,
      'GET',
      '/api/health',
    )
  }

  it('is named by the health check, without the data', async () => {
    const { status, body, headers, text } = await health()

    expect(status).toBe(503)
    expect(headers.get('retry-after')).toBe('5')
    expect(body.details).toEqual([{ path: 'indexes.widgetconfigs', message: 'DuplicateKey' }])
    expect(body.message).toContain('indexes.widgetconfigs')
    expect(text).not.toMatch(/asha|9811100000/)
  })

  it('is made by the next check after the data was mended', async () => {
    expect((await health()).status).toBe(503)
    expect((await health()).status).toBe(503)

    await stored().deleteOne({ projectId: SECRET })

    expect((await health()).status).toBe(200)
    await expect(stored().insertOne({ projectId: SECRET })).rejects.toMatchObject({ code: 11000 })
  })

  it('holds up the writes that rely on it and nothing else', async () => {
    const { widgetConfigs, widgetConfig } = deployment

    await expect(widgetConfigs.openGuarded()).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
    })
    expect(await (await widgetConfigs.open()).countDocuments({ projectId: 'other' })).toBe(1)
    expect((await call(widgetConfig, 'GET', '/api/widget-config/other')).status).toBe(200)

    await stored().deleteOne({ projectId: SECRET })
    const guarded = await widgetConfigs.openGuarded()
    await expect(
      guarded.insertOne({ _id: new ObjectId(), projectId: SECRET } as never),
    ).rejects.toMatchObject({
      code: 11000,
    })
  })
})

describe('the first writes that rely on a unique index', () => {
  it('wait until it is there', async () => {
    const { widgetConfigs } = deployment
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, async () => {
        const configs = await widgetConfigs.openGuarded()
        await configs.insertOne({ _id: new ObjectId(), projectId: 'once' } as never)
      }),
    )

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await stored().countDocuments()).toBe(1)
  })
})

describe('indexes', () => {
  it('are not dropped for not being declared', async () => {
    await stored().createIndex({ agentName: 1 }, { name: 'by-hand' })

    await deployment.widgetConfigs.ensureIndexes()

    expect((await stored().indexes()).map(index => index.name)).toContain('by-hand')
  })

  it('are made by the next use after the first found the database away', async () => {
    const proxy = await startTcpProxy(testDatabase().uri)
    await deployment.stop()
    deployment = await deploy({ MONGO_URI: proxy.uri })
    await proxy.refuse()

    await expect(deployment.widgetConfigs.openGuarded()).rejects.toMatchObject({ code: 'unavailable' })
    await proxy.restore()
    await deployment.widgetConfigs.openGuarded()

    expect((await stored().indexes()).map(index => index.name)).toContain('projectId')
    await deployment.stop()
    await proxy.close()
  })

  it('cost a collection without any no round trip', async () => {
    const observed = observeClients()
    const plain = collection({ name: 'plain', schema: z.object({ _id: z.string() }), indexes: [] })

    await plain.openGuarded()

    expect(observed.clients).toHaveLength(1)
    expect(observed.commands).toEqual([])
  })
})
