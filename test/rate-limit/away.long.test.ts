import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Deployment, deploy } from '../db/deployment.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

let proxy: TcpProxy
let deployment: Deployment

beforeEach(async () => {
  await emptyDatabase()
  proxy = await startTcpProxy(testDatabase().uri)
  // One capture a minute, six configurations.
  deployment = await deploy({ MONGO_URI: proxy.uri, RATE_LIMIT_SCALE: '0.01' })
})

afterEach(async () => {
  await proxy.restore()
  await deployment.stop()
  await proxy.close()
})

it.each([
  ['is away', (broken: TcpProxy) => broken.refuse()],
  ['does not answer', (broken: TcpProxy) => broken.stall()],
])('where the store %s, an open policy lets pass within a second', async (_, breakStore) => {
  const now = new Date()
  expect(await deployment.enforceLimit('config', 'a', now)).toBeDefined()
  await breakStore(proxy)
  const startedAt = performance.now()

  const hits = [1, 2, 3].map(() => deployment.enforceLimit('capture', 'a', now))

  expect(await Promise.all(hits)).toEqual([undefined, undefined, undefined])
  expect(performance.now() - startedAt).toBeLessThan(1_000)
})

it('where the store is away, a closed policy refuses', async () => {
  await proxy.refuse()

  await expect(deployment.enforceLimit('read', 'a', new Date())).rejects.toMatchObject({
    code: 'unavailable',
    retryAfterSeconds: 5,
  })
})

it('where the connection is cut in place of the count, an open policy lets pass', async () => {
  const now = new Date()
  await deployment.enforceLimit('config', 'a', now)
  const cut = proxy.cutAnswerTo('findAndModify')

  const outcome = await deployment.enforceLimit('config', 'a', now)
  await cut

  // A replica set has the driver count again.
  if (outcome !== undefined) expect(outcome.remaining).toBeLessThan(6)
})

it('where the store is back, it counts again', async () => {
  const now = new Date()
  await proxy.refuse()
  expect(await deployment.enforceLimit('capture', 'a', now)).toBeUndefined()
  await proxy.restore()

  // A first attempt that was still under way may fail; what counts is that it counts without a restart.
  await expect.poll(() => deployment.enforceLimit('config', 'b', now), { timeout: 10_000 }).toBeDefined()
})
