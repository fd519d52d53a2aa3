import { EventEmitter, once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { forward } from './forward.js'
import type { Generations } from './generations.js'
import { PLATFORM_ANSWERS, sendPlatformAnswer } from './platform-answers.js'
import { resolveRequest } from './resolve-request.js'
import { sendStaticFile } from './static-files.js'
import { UsageError } from './usage-error.js'

const IN_FLIGHT_MS = 5_000
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']

/** What stands in Vercel's place in front of the functions. */
export interface DevServer {
  port: number
  /** Takes no more requests, answers those it has, within 5 seconds, and lets their background work end. */
  stop(): Promise<void>
}

/**
 * Listens on 127.0.0.1. Requests that come before the functions are up wait for them.
 *
 * @throws {UsageError} where the port is taken.
 */
export async function startServer(port: number, generations: Generations): Promise<DevServer> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const answering = new Set<ServerResponse>()
  const idle = new EventEmitter()
  let stopping = false
  const server = createServer((request, response) => {
    if (stopping) response.setHeader('connection', 'close')
    answering.add(response)
    response.once('close', () => {
      answering.delete(response)
      if (answering.size === 0) idle.emit('idle')
    })
    void answer(request, response, generations, agent)
  })
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new UsageError(`Port ${port} is taken: stop what uses it, or set PORT (0 picks a free one)`)
  }
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      stopping = true
      server.close()
      const deadline = performance.now() + IN_FLIGHT_MS
      const patience = delay(IN_FLIGHT_MS, undefined, { ref: false })
      if (answering.size > 0) await Promise.race([once(idle, 'idle'), patience])
      // Those that are left have nobody waiting: some client never ends the body of a request that was answered.
      server.closeAllConnections()
      await generations.finish(Math.max(0, deadline - performance.now()))
      agent.destroy()
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  generations: Generations,
  agent: Agent,
): Promise<void> {
  try {
    if (!/^[\w.:[\]-]+$/.test(request.headers.host ?? ''))
      return sendPlatformAnswer(response, PLATFORM_ANSWERS.badRequest)
    await generations.run(async ({ table, port, ended }) => {
      const resolution = await resolveRequest(table, request.url ?? '/')
      const { headers } = resolution
      switch (resolution.kind) {
        case 'function':
          if (!METHODS.includes(request.method ?? ''))
            return sendPlatformAnswer(response, PLATFORM_ANSWERS.methodNotAllowed, headers)
          return forward(request, response, { ...resolution, port, ended, agent })
        case 'file':
          return sendStaticFile(request, response, resolution.file, resolution.status, headers)
        case 'redirect':
          response.writeHead(resolution.status, { ...headers, location: resolution.location })
          return void response.end('Redirecting...\n')
        case 'platform':
          return sendPlatformAnswer(response, resolution.answer, headers)
      }
    })
  } catch (error) {
    const detail = error instanceof UsageError ? error.message : 'See the terminal.'
    if (!(error instanceof UsageError)) console.error(error)
    if (!response.headersSent) sendPlatformAnswer(response, PLATFORM_ANSWERS.invocationFailed, {}, detail)
    else response.destroy()
  }
}
