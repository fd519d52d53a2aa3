import { randomUUID } from 'node:crypto'
import { translateDatabaseError } from '../db/errors.js'
import { AppError } from '../errors.js'
import { type LimitState, RateLimited } from '../rate-limit/enforce.js'
import { corsHeaders, preflightHeaders } from './cors.js'
import { logRequest } from './log.js'
import { errorReply, isShared, type Reply, toResponse } from './reply.js'
import { type Exchange, OriginRefused, type Route } from './route.js'

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Verbs = Partial<Record<Verb, Route>>

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
 */
export function serve(path: string, verbs: Verbs): ServedRoute {
  const methods = allowedMethods(verbs)

  async function fetch(request: Request): Promise<Response> {
    const startedAt = performance.now()
    const requestId = requestIdOf(request)
    const exchange: Exchange = { request, requestId, path, pathParams: {} }
    let response: Response
    let failure: AppError | undefined
    try {
      response = respond(await answer(exchange), exchange)
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
    if (!verb) throw new AppError('method_not_allowed')
    exchange.pathParams = matchPath(path, new URL(request.url).pathname)
    return verb.run(exchange)
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

/** What a request failed with, for the client. Whatever nobody foresaw is `internal` and says nothing of itself. */
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

function matchPath(template: string, pathname: string): Record<string, string> {
  const names = template.split('/')
  const values = pathname.replace(/\/$/, '').split('/')
  if (names.length !== values.length) throw new AppError('not_found')
  const params: Record<string, string> = {}
  for (const [i, name] of names.entries()) {
    const value = values[i] ?? ''
    if (name.startsWith(':') && value !== '') params[name.slice(1)] = decode(value)
    else if (name !== value) throw new AppError('not_found')
  }
  return params
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new AppError('invalid_request', 'The path is not valid percent-encoding.')
  }
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
