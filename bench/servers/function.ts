import type { IncomingMessage, RequestListener } from 'node:http'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Answered, answering } from './http.js'

/** What a file of the product under `api/` exports. */
export interface ServedRoute {
  fetch(request: Request): Promise<Response>
}

/** Loads a built route by its place in the project, `api/leads/index.js`. */
export async function loadRoute(file: string): Promise<ServedRoute> {
  const exported = await loadExported(file)
  if (typeof exported === 'function') throw new Error(`${file} is no route of the product`)
  return exported
}

/**
 * Loads a function as the platform calls it: what exports `fetch` gets a request of the web, and a listener (an app of
 * Express) Node's own.
 *
 * @param file its place in the project, or an absolute path.
 */
export async function loadListener(file: string): Promise<RequestListener> {
  const exported = await loadExported(file)
  if (typeof exported === 'function') return exported
  return answering(async ({ message, body }) => answerOf(await exported.fetch(requestOf(message, body))))
}

async function loadExported(file: string): Promise<ServedRoute | RequestListener> {
  const module = await import(pathToFileURL(resolve(import.meta.dirname, '../..', file)).href)
  return module.default
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
