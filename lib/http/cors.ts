import { isOwnOrigin } from '../auth/origins.js'

/** Something that knows which pages may use it; a project does. */
export interface OriginScope {
  allowsOrigin(origin: string): boolean
}

/** Whether a page may use a project: one of its domains, our own pages, or no page at all (no `Origin`). */
export function isOriginAllowed(request: Request, scope: OriginScope): boolean {
  const origin = request.headers.get('origin')
  return origin === null || scope.allowsOrigin(origin) || isOwnOrigin(origin, request)
}

const EXPOSED_HEADERS =
  'ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id, Content-Disposition, Allow'

/** What any client of ours may send; a preflight that asks for more gets what it asks for (see below). */
const ALLOWED_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-API-Key, X-Request-Id'

const TOKEN_LIST = /^[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*$/

/**
 * The CORS headers of an answer. Widgets run on any site and send beacons, which always carry credentials: the
 * page's own origin is reflected and never `*` (Fetch standard, "CORS protocol and credentials"). Reflecting
 * grants nothing by itself: a cookie counts only from our own pages.
 */
export function corsHeaders(origin: string | null): Record<string, string> {
  if (origin === null) return { Vary: 'Origin' }
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': EXPOSED_HEADERS,
    Vary: 'Origin',
  }
}

/** The headers of a preflight's answer. Unknown headers are allowed as asked: old clients cannot be redeployed. */
export function preflightHeaders(request: Request, methods: readonly string[]): Record<string, string> {
  const asked = request.headers.get('access-control-request-headers')
  return {
    ...corsHeaders(request.headers.get('origin')),
    'Access-Control-Allow-Methods': methods.join(', '),
    'Access-Control-Allow-Headers': asked && TOKEN_LIST.test(asked) ? asked : ALLOWED_HEADERS,
    'Access-Control-Max-Age': '7200',
    Vary: 'Origin, Access-Control-Request-Headers',
  }
}
