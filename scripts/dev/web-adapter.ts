import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FUNCTION_FILE_HEADER } from './functions-protocol.js'

// Of the hop to this process and not of the client's request.
const HOP_FIELDS = new Set(['connection', 'transfer-encoding', FUNCTION_FILE_HEADER])

/**
 * A node:http request as the web standard's. Its body is streamed; `signal` aborts when the sender goes away
 * before the answer is complete.
 */
export function toWebRequest(message: IncomingMessage, response: ServerResponse): Request {
  const headers = new Headers()
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    const name = message.rawHeaders[i] ?? ''
    if (!HOP_FIELDS.has(name.toLowerCase())) headers.append(name, message.rawHeaders[i + 1] ?? '')
  }
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new DOMException('The client went away', 'AbortError'))
  })
  const method = message.method ?? 'GET'
  const url = `${headers.get('x-forwarded-proto') ?? 'http'}://${headers.get('host')}${message.url}`
  if (!hasBody(message) || method === 'GET' || method === 'HEAD')
    return new Request(url, { method, headers, signal: gone.signal })
  return new Request(url, {
    method,
    headers,
    signal: gone.signal,
    body: toWebBody(message, response),
    duplex: 'half',
  })
}

function toWebBody(message: IncomingMessage, response: ServerResponse): ReadableStream<Uint8Array> {
  const body = message.pipe(new PassThrough())
  message.once('close', () => {
    if (!message.complete) body.destroy(new Error('The client went away'))
  })
  // A function need not read it all; what stays unread would block the connection.
  response.once('finish', () => message.unpipe(body).resume())
  // Node's web stream is the platform's; the two are only declared apart.
  return Readable.toWeb(body) as ReadableStream<Uint8Array>
}

function hasBody(message: IncomingMessage): boolean {
  if (message.headers['transfer-encoding'] !== undefined) return true
  return Number(message.headers['content-length'] ?? 0) > 0
}

/**
 * Sends a web response, as fast as the receiver takes it.
 *
 * @throws what the body's stream fails with; the connection is then cut, so that nobody takes half for the whole.
 */
export async function sendWebResponse(response: Response, target: ServerResponse): Promise<void> {
  target.statusCode = response.status
  if (response.statusText !== '') target.statusMessage = response.statusText
  for (const [name, value] of response.headers) if (name !== 'set-cookie') target.setHeader(name, value)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) target.setHeader('set-cookie', cookies)

  if (response.body === null || target.req.method === 'HEAD') {
    await response.body?.cancel()
    target.end()
    return
  }
  target.flushHeaders()
  await pipeline(Readable.fromWeb(response.body), target)
}
