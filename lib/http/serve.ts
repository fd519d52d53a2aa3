import { randomUUID } from 'node:crypto'
import { waitUntil } from '@vercel/functions'
import { translateDatabaseError, unavailable } from '../db/errors.js'
import { AppError, errorTable } from '../errors.js'
import { type LimitState, RateLimited } from '../rate-limit/enforce.js'
import { withTimeout } from '../with-timeout.js'
import { corsHeaders, preflightHeaders } from './cors.js'
import { logBackgroundFailure, logRequest } from './log.js'
import { readPathParams } from './path-template.js'
import { errorReply, isShared, type Reply, toResponse } from './reply.js'
import { type Exchange, OriginRefused, type Route } from './route.js'

/**
 * A request that takes longer than this, in milliseconds, is answered before the platform ends its function after 30
 * seconds (`maxDuration` in vercel.json) with an answer of its own, which no page of another site may read.
 */
export const ANSWER_WITHIN_MS = 25_000

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Verbs = Partial<Record<Verb, Route>>

/** A function as Vercel runs it, with the declarations it was made of. */
export interface ServedRoute {
  path: string
  verbs: Verbs
  fetch(request: Request): Promise<Response>
}

/**
 * The default export of a file under `api/`. Owns what every verb shares: `HEAD` and `OPTIONS`, a 405 in our
 * envelope, request ids, CORS, security and rate-limit headers on every answer, and the log line.
 *
 * @param path the file's place as a template (`/api/leads/:id`); parameters are read from the pathname, since
 *   behind the platform's rewrite a client can override the query's.
 * @param verbs none say that nothing is there: a 404.
 */
export function serve(path: string, verbs: Verbs): ServedRoute {
  const methods = allowedMethods(verbs)
  const isThere = Object.keys(verbs).length > 0

  async function fetch(request: Request): Promise<Response> {
    const startedAt = performance.now()
    const requestId = requestIdOf(request)
    const exchange: Exchange = { request, requestId, path, pathParams: {} }
    let response: Response
    let failure: AppError | undefined
    try {
      response = respond(await inTime(answer(exchange), exchange), exchange)
    } catch (error) {
      failure = asAppError(error)
      response = respond(errorReply(failure, requestId), exchange, failure)
    }
    logRequest(
      {
        requestId,
        route: path,
        method: request.method,
        status: response.status,
        durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
        ...(failure && { code: failure.code }),
      },
      failure,
    )
    return response
  }

  /** The work itself goes on while the function lives: what it has begun it may still finish. */
  async function inTime(work: Promise<Reply>, { requestId }: Exchange): Promise<Reply> {
    const reply = await withTimeout(ANSWER_WITHIN_MS, work)
    if (reply) return reply
    const log = (failure: unknown) => {
      // A refusal came too late to be told, but nothing failed.
      if (errorTable[asAppError(failure).code].status >= 500) logBackgroundFailure(requestId, path, failure)
    }
    // Nobody reads on what is sent while it is read.
    const discard = ({ body }: Reply) => (body instanceof ReadableStream ? body.cancel() : undefined)
    waitUntil(work.then(discard).catch(log))
    throw unavailable(new Error(`No answer within ${ANSWER_WITHIN_MS} ms`))
  }

  async function answer(exchange: Exchange): Promise<Reply> {
    const { request } = exchange
    if (request.method === 'OPTIONS')
      return {
        status: 204,
        body: undefined,
        headers: { Allow: methods.join(', '), ...preflightHeaders(request, methods) },
      }
    const method = request.method === 'HEAD' ? 'GET' : request.method
    // Own verbs only: a method may be called `constructor`.
    const verb = Object.hasOwn(verbs, method) && verbs[method as Verb]
    if (!verb) throw new AppError(isThere ? 'method_not_allowed' : 'not_found')
    exchange.pathParams = readPathParams(path, new URL(request.url).pathname)
    return begun(await verb.run(exchange), exchange)
  }

  /**
   * A body that is sent while it is read has its first part read here: what fails until then is answered as a failure.
   * What fails later is told to the log, since the line of the request says only that it began.
   */
  async function begun(reply: Reply, { request, requestId }: Exchange): Promise<Reply> {
    if (!(reply.body instanceof ReadableStream) || request.method === 'HEAD') return reply
    const reader = reply.body.getReader()
    let first: Awaited<ReturnType<typeof reader.read>> | undefined = await reader.read()
    const source = {
      async pull(controller: ReadableStreamDefaultController) {
        try {
          const { done, value } = first ?? (await reader.read())
          first = undefined
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (failure) {
          logBackgroundFailure(requestId, path, failure)
          throw failure
        }
      },
      cancel: (reason: unknown) => reader.cancel(reason),
    }
    return { ...reply, body: new ReadableStream(source, { highWaterMark: 0 }) }
  }

  function respond(reply: Reply, exchange: Exchange, failure?: AppError): Response {
    const { request, requestId } = exchange
    const origin = failure instanceof OriginRefused ? null : request.headers.get('origin')
    const limit = failure instanceof RateLimited ? failure.limit : exchange.limit
    return toResponse(reply, request, {
      ...corsHeaders(origin),
      // What a cache keeps for everybody says nothing of the one client that asked, least of all in its own words.
      ...(!isShared(reply) && { 'X-Request-Id': requestId, ...limitHeaders(limit) }),
      ...(failure?.code === 'method_not_allowed' && { Allow: methods.join(', ') }),
    })
  }

  return { path, verbs, fetch }
}

/** The error that a client is answered. An unexpected one is `internal` and says nothing of itself. */
function asAppError(error: unknown): AppError {
  const translated = translateDatabaseError(error)
  return translated instanceof AppError ? translated : new AppError('internal', undefined, { cause: error })
}

function allowedMethods(verbs: Verbs): string[] {
  return [...Object.keys(verbs), ...(verbs.GET ? ['HEAD'] : []), 'OPTIONS']
}

/** The client's id where it is one that a log can hold, else a new one. */
function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id') ?? ''
  return /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}

/** The headers of the IETF draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10). */
function limitHeaders(state: LimitState | undefined): Record<string, string> {
  if (!state) return {}
  const { policy, limit, windowSeconds, remaining, resetSeconds } = state
  return {
    'RateLimit-Policy': `"${policy}";q=${limit};w=${windowSeconds}`,
    RateLimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
  }
}
