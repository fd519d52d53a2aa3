import { hash } from 'node:crypto'
import { type AppError, errorTable } from '../errors.js'

/** What a handler answers with: data, which the pipeline turns into a response. */
export interface Reply {
  status: number
  body: unknown
  headers: Record<string, string>
  cookies?: readonly string[]
}

/** 200 with this body. */
export function ok(body: unknown, headers: Record<string, string> = {}): Reply {
  return { status: 200, body, headers }
}

/**
 * A shared cache serves this for 30 s, then 30 s more while it revalidates (RFC 5861, section 3): changes show within a
 * minute.
 */
export const sharedBriefly = { 'Cache-Control': 'public, max-age=0, s-maxage=30, stale-while-revalidate=30' }

/** Whether a cache may answer others with this. */
export function isShared({ headers }: Reply): boolean {
  return /\bpublic\b/.test(headers['Cache-Control'] ?? '')
}

/** 201 with this body. */
export function created(body: unknown): Reply {
  return { status: 201, body, headers: {} }
}

/**
 * An answer of the account routes: data in their envelope. Old clients read some of it at top level too.
 */
export function success(
  data: unknown,
  more: Partial<Pick<Reply, 'status' | 'headers' | 'cookies'>> & { message?: string; topLevel?: object } = {},
): Reply {
  const { status = 200, headers = {}, message, topLevel, cookies } = more
  const body = { success: true, ...(message !== undefined && { message }), ...topLevel, data }
  return { status, body, headers, ...(cookies && { cookies }) }
}

/** The one shape of an error, which satisfies every old client: some read `error`, some `message`. */
export interface ErrorBody {
  success: false
  code: string
  error: string
  message: string
  details?: AppError['details']
  requestId: string
}

/** An error as the reply that says it. */
export function errorReply(error: AppError, requestId: string): Reply {
  const { code, message, details, retryAfterSeconds } = error
  const body: ErrorBody = {
    success: false,
    code,
    error: message,
    message,
    ...(details && { details }),
    requestId,
  }
  return {
    status: errorTable[code].status,
    body,
    headers: {
      ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
      // RFC 9110, section 11.6.1: a 401 says how to authenticate.
      ...(code === 'unauthenticated' && { 'WWW-Authenticate': 'Bearer' }),
    },
  }
}

/**
 * Set on every answer. `cross-origin` because widgets read us from any site; nothing we send is a page, so a
 * browser that shows it as one may load and frame nothing.
 */
const SECURITY_HEADERS = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=63072000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
}

/**
 * The response of a reply. One that may be cached carries an ETag, and is a 304 without a body where the client
 * has it already (RFC 9110, section 13.1.2); `HEAD` gets the same headers without the body.
 */
export function toResponse(reply: Reply, request: Request, headers: Record<string, string>): Response {
  const all = new Headers({ 'Cache-Control': 'no-store', ...SECURITY_HEADERS, ...headers, ...reply.headers })
  for (const cookie of reply.cookies ?? []) all.append('Set-Cookie', cookie)
  if (reply.body === undefined) return new Response(null, { status: reply.status, headers: all })
  if (reply.body instanceof ReadableStream)
    return new Response(request.method === 'HEAD' ? null : reply.body, { status: reply.status, headers: all })

  // As bytes: a response made of text encodes it once more on its way out.
  const bytes = Buffer.from(JSON.stringify(reply.body))
  all.set('Content-Type', 'application/json; charset=utf-8')
  if (reply.status === 200 && all.get('Cache-Control') !== 'no-store') {
    const tag = hash('sha256', bytes, 'base64url').slice(0, 22)
    all.set('ETag', `"${tag}"`)
    if (matches(request.headers.get('if-none-match'), tag)) {
      all.delete('Content-Type')
      return new Response(null, { status: 304, headers: all })
    }
  }
  const body = request.method === 'HEAD' ? null : bytes
  return new Response(body, { status: reply.status, headers: all })
}

/** Weak comparison: a proxy that compresses marks our tag as weak. */
function matches(ifNoneMatch: string | null, tag: string): boolean {
  if (ifNoneMatch === null) return false
  const tags = ifNoneMatch.split(',').map(candidate => candidate.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(`"${tag}"`)
}
