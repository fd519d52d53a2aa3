import type { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { call } from '../support/request.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { type Deployment, deploy, observeClients } from './deployment.js'

let proxy: TcpProxy
let deployment: Deployment

beforeEach(async () => {
  await emptyDatabase()
  proxy = await startTcpProxy(testDatabase().uri)
})

afterEach(async () => {
  await deployment.stop()
  await proxy.close()
})

it('an instance whose driver has stopped asking for the database finds it again', async () => {
  const { clients } = observeClients()
  deployment = await deploy({ MONGO_URI: proxy.uri })
  expect(await captureStatus()).toBe(201)

  await hangHeartbeat(clients[0] as MongoClient)
  proxy.cut()

  // Where the server reports a topologyVersion, the driver finds it by itself.
  await vi.waitFor(async () => expect(await captureStatus()).toBe(201), { timeout: 20_000, interval: 100 })
})

it('a client keeps being used whose process was suspended while a heartbeat was on its way', async () => {
  const { clients } = observeClients()
  deployment = await deploy({ MONGO_URI: proxy.uri })
  expect(await captureStatus()).toBe(201)
  const [client] = clients as [MongoClient]

  await new Promise<void>(resolve => {
    client.once('serverHeartbeatStarted', () => {
      // As for a suspended process, time passes and nothing happens.
      setImmediate(() => resolve(void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 9_000)))
    })
  })
  await new Promise(resolve => setTimeout(resolve, 2_000))

  expect(await captureStatus()).toBe(201)
  expect(clients).toHaveLength(1)
})

async function captureStatus(): Promise<number> {
  const body = { microsite: 'site', phone: '9811100000' }
  return (await call(deployment.leads, 'POST', '/api/leads', { body })).status
}

/** Has the driver write a heartbeat to a socket that is destroyed and not yet reported as closed. */
async function hangHeartbeat(client: MongoClient): Promise<void> {
  const { topology } = client as unknown as { topology: { s: { servers: Map<string, DriverServer> } } }
  for (const { monitor } of topology.s.servers.values()) {
    // The driver leaves half a second between two heartbeats.
    await new Promise(resolve => setTimeout(resolve, 600))
    monitor.connection.socket.destroy()
    monitor.requestCheck()
  }
}

/** What the driver keeps to itself. */
interface DriverServer {
  monitor: { connection: { socket: { destroy(): void } }; requestCheck(): void }
}
