import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Deployment, deploy } from '../db/deployment.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { adminToken, call } from '../support/request.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

let proxy: TcpProxy
let deployment: Deployment

beforeEach(async () => {
  await emptyDatabase()
  proxy = await startTcpProxy(testDatabase().uri)
  deployment = await deploy({ MONGO_URI: proxy.uri })
})

afterEach(async () => {
  await proxy.restore()
  await deployment.stop()
  await proxy.close()
})

/** The statuses of a capture, a list and a configuration, and how long the slowest of them took. */
async function askAll(): Promise<{ statuses: number[]; milliseconds: number }> {
  const startedAt = performance.now()
  const answers = await Promise.all([
    call(deployment.leads, 'POST', '/api/leads', { body: { microsite: 'site', phone: '9811100000' } }),
    call(deployment.leads, 'GET', '/api/leads', { token: adminToken() }),
    call(deployment.widgetConfig, 'GET', '/api/widget-config/site'),
  ])
  return { statuses: answers.map(answer => answer.status), milliseconds: performance.now() - startedAt }
}

const THERE = [201, 200, 200]
const AWAY = [503, 503, 200]

describe('a database that accepts connections and never answers', () => {
  it('is a 503 within three seconds for an instance that has just been started', async () => {
    proxy.stall()

    const { statuses, milliseconds } = await askAll()

    expect(statuses).toEqual(AWAY)
    expect(milliseconds).toBeLessThan(3_000)
    await proxy.restore()
    expect((await askAll()).statuses).toEqual(THERE)
  })

  it('keeps no widget waiting whose configuration was read before', async () => {
    const ask = () => call(deployment.widgetConfig, 'GET', '/api/widget-config/site')
    const before = await ask()
    proxy.stall()

    const startedAt = performance.now()
    const during = await ask()

    // 800 ms of patience, and what a busy machine adds; without it the silence is noticed after two seconds or more.
    expect(performance.now() - startedAt).toBeLessThan(1_800)
    expect(during).toMatchObject({ status: 200, body: before.body as object })
    expect(during.headers.get('cache-control')).toBe('no-store')
    await proxy.restore()
  })
})
