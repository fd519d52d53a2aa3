import type { IncomingMessage } from 'node:http'
import { answerParent, cpuMs } from '../worker.js'
import { type Answered, listen } from './http.js'
import { loadRoute } from './route.js'

/** Serves one route of the product, as the platform would call it. Its environment is the process's. */
async function start(file: string): Promise<number> {
  const route = await loadRoute(file)
  return listen(async ({ message, body }) => answerOf(await route.fetch(requestOf(message, body))))
}

function requestOf(message: IncomingMessage, body: Buffer): Request {
  const { method = 'GET', url = '/', headers } = message
  return new Request(`http://${headers.host}${url}`, {
    method,
    headers: headers as Record<string, string>,
    ...(body.length > 0 && { body }),
  })
}

async function answerOf(response: Response): Promise<Answered> {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: Buffer.from(await response.arrayBuffer()),
  }
}

const methods = { start, cpuMs }
export type HandlerMethods = typeof methods
answerParent(methods)
