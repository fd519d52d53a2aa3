import {
  type Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as openRequest,
  type ServerResponse,
} from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { FUNCTION_FILE_HEADER } from './functions-protocol.js'
import { PLATFORM_ANSWERS, type PlatformAnswer, sendPlatformAnswer } from './platform-answers.js'
import type { FunctionEntry } from './route-table.js'

/** https://vercel.com/docs/functions/limitations#request-body-size */
export const BODY_LIMIT_BYTES = 4.5 * 1024 * 1024

const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

export interface Invocation {
  entry: FunctionEntry
  /** Path and query as the function shall see them. */
  url: string
  /** What `vercel.json` adds to the answer. A function's own header of the same name wins. */
  headers: Record<string, string>
  /** Where the functions' process listens. */
  port: number
  /** Resolves when that process has ended. */
  ended: Promise<unknown>
  agent: Agent
}

/**
 * Has a function answer a request, within the limits of the platform: the size of the body and the function's
 * time. Resolves when the function's work on it has ended, which may be after a client that did not wait.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  { entry, url, headers, port, ended, agent }: Invocation,
): Promise<void> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) {
    request.resume()
    sendPlatformAnswer(response, PLATFORM_ANSWERS.payloadTooLarge, headers)
    return Promise.resolve()
  }
  return new Promise(resolve => {
    const upstream = openRequest({
      host: '127.0.0.1',
      port,
      agent,
      method: request.method,
      path: url,
      headers: {
        ...platformHeaders(request),
        // node:http frames the body of a DELETE or an OPTIONS only where it is told to, and what follows an unframed
        // body would be read as another request.
        ...(request.headers['transfer-encoding'] && { 'transfer-encoding': 'chunked' }),
        [FUNCTION_FILE_HEADER]: encodeURIComponent(entry.file),
      },
    })
    const fail = (answer: PlatformAnswer): void => {
      upstream.destroy()
      // The rest of the body is read and dropped: a connection that is closed with unread data in it is reset, and
      // the client would lose the answer.
      request.resume()
      if (response.destroyed) return
      if (!response.headersSent) sendPlatformAnswer(response, answer, headers)
      else if (!response.writableEnded) response.destroy()
    }
    const timer = setTimeout(() => fail(PLATFORM_ANSWERS.invocationTimeout), entry.maxDurationSeconds * 1000)
    upstream.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    // A process that ended breaks the connection a little before its end is known, and the client's next request
    // shall not meet it any more.
    upstream.on('error', async () => {
      await Promise.race([ended, delay(200)])
      fail(PLATFORM_ANSWERS.invocationFailed)
    })
    upstream.once('response', answer => {
      relay(answer, request, response, headers)
      // A function need not read the whole body, and nobody else will.
      answer.once('end', () => {
        if (!upstream.writableEnded) upstream.destroy()
        request.resume()
      })
    })

    let received = 0
    request.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (upstream.destroyed) return
      if (received > BODY_LIMIT_BYTES) fail(PLATFORM_ANSWERS.payloadTooLarge)
      else if (!upstream.write(chunk)) request.pause()
    })
    upstream.on('drain', () => request.resume())
    request.once('end', () => upstream.end())
    response.once('close', () => {
      const clientIsGone = !response.writableFinished
      if (clientIsGone && (entry.supportsCancellation || !request.complete)) upstream.destroy()
    })
  })
}

function relay(
  answer: IncomingMessage,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): void {
  // Where nobody waits any more, the function shall still come to its end, as it does on Vercel.
  response.once('close', () => answer.resume())
  if (response.destroyed) {
    answer.resume()
    return
  }
  response.writeHead(answer.statusCode ?? 500, answer.statusMessage, {
    'cache-control': 'public, max-age=0, must-revalidate',
    ...headers,
    ...withoutHopByHop(answer.headers),
  })
  if (request.method === 'HEAD') response.flushHeaders()
  answer.pipe(response)
  answer.once('error', () => response.destroy())
}

/**
 * What a function learns of the client. The platform says who the client is: what the client says about that
 * itself is dropped (https://vercel.com/docs/headers/request-headers).
 */
function platformHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const headers = withoutHopByHop(request.headers)
  for (const name of Object.keys(headers)) {
    if (/^(x-vercel-|x-forwarded-|forwarded$|x-real-ip$|expect$)/.test(name)) delete headers[name]
  }
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
  return {
    ...headers,
    'x-real-ip': address,
    'x-forwarded-for': address,
    'x-vercel-forwarded-for': address,
    'x-forwarded-host': request.headers.host,
    'x-forwarded-proto': 'http',
  }
}

function withoutHopByHop(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)))
}
