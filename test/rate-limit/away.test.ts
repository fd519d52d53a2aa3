import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Deployment, deploy } from '../db/deployment.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

let proxy: TcpProxy
let deployment: Deployment

beforeEach(async () => {
  await emptyDatabase()
  proxy = await startTcpProxy(testDatabase().uri)
  // One capture a minute.
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
])(
  'where the store %s, open policies let pass within a second and closed ones refuse',
  async (_, breakStore) => {
    await breakStore(proxy)
    const startedAt = performance.now()
    const now = new Date()

    const refused = expect(deployment.enforceLimit('read', 'a', now)).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(await Promise.all([1, 2, 3].map(() => deployment.enforceLimit('capture', 'a', now)))).toEqual([
      undefined,
      undefined,
      undefined,
    ])

    expect(performance.now() - startedAt).toBeLessThan(1_000)
    await refused
    expect(performance.now() - startedAt).toBeLessThan(3_000)
  },
)

it('where the store is back, it counts again', async () => {
  const now = new Date()
  await proxy.refuse()
  expect(await deployment.enforceLimit('capture', 'a', now)).toBeUndefined()
  await proxy.restore()

  // A first attempt that was still under way may fail; what counts is that it counts without a restart.
  await expect.poll(() => deployment.enforceLimit('config', 'b', now), { timeout: 10_000 }).toBeDefined()
})
