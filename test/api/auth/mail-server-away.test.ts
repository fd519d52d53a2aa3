import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import type { ServedRoute } from '../../../lib/http/serve.js'
import { startSmtpServer } from '../../mail/smtp-server.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { adminToken, call } from '../../support/request.js'
import { deployAuth } from './auth-api.js'

trackBackgroundTasks()
beforeEach(() => emptyDatabase())

/** A mail server that takes connections and says nothing, until it is woken. */
async function startSleepingServer() {
  const smtp = await startSmtpServer()
  const sockets = new Set<Socket>()
  let awake = false
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (awake) socket.pipe(connect(smtp.port, '127.0.0.1')).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await smtp.close()
  })
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: smtp.received,
    callers: () => sockets.size,
    /** Drops who waits, and answers from then on. */
    wake() {
      awake = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

const states = async () =>
  (await testDatabase().db.collection('mailoutbox').find().sort({ kind: 1 }).toArray()).map(
    ({ kind, state }) => [kind, state],
  )

it('keeps nobody waiting, and gets its mail from maintenance once it is back', async () => {
  const server = await startSleepingServer()
  const api = await deployAuth({ SMTP_URL: server.url })
  const email = 'asha@example.com'

  const registered = await api.post('auth/register', { email, password: 'a good password' })
  expect(registered.status).toBe(201)
  await vi.waitFor(() => expect(server.callers()).toBe(1), 10_000)
  expect((await api.post('auth/forgot-password', { email })).status).toBe(200)
  await vi.waitFor(() => expect(server.callers()).toBe(2), 10_000)
  expect((await api.me({ token: registered.body.token })).status).toBe(200)
  expect(await states()).toEqual([
    ['reset-password', 'sending'],
    ['verify-email', 'sending'],
  ])

  server.wake()
  await backgroundTasksDone()
  expect(server.received).toEqual([])
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 60_000 })
  onTestFinished(() => void vi.useRealTimers())
  const cron: { default: ServedRoute } = await import(
    join(import.meta.dirname, '../../../api/cron/maintain.ts')
  )
  await call(cron.default, 'GET', '/api/cron/maintain', { token: adminToken() })

  expect(server.received.map(({ to }) => to)).toEqual([[email], [email]])
  const [, token = ''] =
    /verify-email\.html#token=([\w-]+)/.exec(server.received.map(({ content }) => content).join()) ?? []
  expect((await api.post('auth/verify-email', { token })).status).toBe(200)
})
