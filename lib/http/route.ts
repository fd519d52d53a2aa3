import { waitUntil } from '@vercel/functions'
import type { z } from 'zod'
import type { Access, Caller, CallerOf, Scope } from '../auth/caller.js'
import { authenticate } from '../auth/callers.js'
import { readCookie } from '../auth/cookies.js'
import { isOwnOrigin } from '../auth/origins.js'
import { AppError, invalidField } from '../errors.js'
import { enforceLimit, type LimitState } from '../rate-limit/enforce.js'
import { type PolicyName, policies } from '../rate-limit/policies.js'
import { RawBody, readBytes, readJson } from './body.js'
import { clientAddress, clientNetwork } from './client-address.js'
import { isOriginAllowed, type OriginScope } from './cors.js'
import { readIfMatch } from './if-match.js'
import { logBackgroundFailure } from './log.js'
import type { Reply } from './reply.js'
import { validate } from './validate.js'

const DEFAULT_MAX_BODY_BYTES = 64 * 1024

/** One verb of one route as data: what the pipeline does with a request, and what OpenAPI says of it. */
interface RouteDeclaration<A extends Access, P, Q, B, S extends OriginScope | undefined> {
  summary: string
  access: A
  /** What an API key has to be allowed; without one, a route that asks for credentials takes no API keys. */
  scope?: Scope
  limit: PolicyName
  /** How many requests one with this body counts as; one by default. The first is counted before it is read. */
  weight?: (body: B) => number
  /** Path parameters, by the names in the path's template. */
  params?: z.ZodType<P>
  /** Query parameters; unknown ones (cache busters) are dropped by the schema. */
  query?: z.ZodType<Q>
  /** What the JSON of the body has to be; `RawBody` where the handler needs the bytes themselves. */
  body?: z.ZodType<B>
  maxBodyBytes?: number
  /** Finds the project that the request names: only a page of one of its domains gets past here. */
  project?: (input: ProjectInput<A, P, Q, B>) => Promise<S>
  /** What a success looks like, by status. Errors are the same everywhere. */
  responses: Readonly<Record<number, { description: string; schema?: z.ZodType }>>
}

/** What says which project a request is about, and whether its page matters. */
interface ProjectInput<A extends Access, P, Q, B> {
  params: P
  query: Q
  body: B
  caller: CallerOf<A>
  origin: string | null
}

/** What a handler may know of the request beside its input. */
export interface RequestContext {
  requestId: string
  now: Date
  origin: string | null
  clientAddress: string
  userAgent: string
  /** The client's `Idempotency-Key`, where it sent one. */
  idempotencyKey: string | undefined
  /**
   * Which revisions the client's change may be made from, where its `If-Match` says so.
   *
   * @throws {AppError} `invalid_request` for a header that does not say it.
   */
  readonly ifMatch: 'any' | number[] | undefined
  /** The client asked for errors rather than repairs: `Prefer: handling=strict` (RFC 7240, section 4.4). */
  strict: boolean
  /** The client's network, as limits count it. */
  network: string
  /** Whether the request comes from one of our own pages. */
  fromOwnPage: boolean
  /** The browser says that its page is of another site than we are: it sends none of our cookies, and keeps none. */
  fromOtherSite: boolean
  /** A cookie that the client sent, for the one route that reads it. */
  cookie(name: string): string | undefined
  /** A header that proves who sent the body, for the one route that verifies it. */
  header(name: string): string | undefined
  /** Lets work go on after the answer; its failure is logged. */
  background(task: Promise<unknown>): void
  /** Logs a failure that does not change the answer. */
  logFailure(failure: unknown): void
}

interface HandlerInput<A extends Access, P, Q, B, S> {
  params: P
  query: Q
  body: B
  caller: CallerOf<A>
  project: S
  context: RequestContext
}

/** A request on its way through the pipeline. `limit` is filled in as soon as it is known, for the headers. */
export interface Exchange {
  request: Request
  requestId: string
  /** The template of the path. */
  path: string
  pathParams: Readonly<Record<string, string>>
  limit?: LimitState | undefined
}

/** A route whose types are settled: what `serve` mounts and other tools read. */
export interface Route {
  declaration: RouteDeclaration<Access, unknown, unknown, unknown, OriginScope | undefined>
  run(exchange: Exchange): Promise<Reply>
}

/** A page that its project does not list: answered without the CORS headers that would let it read on. */
export class OriginRefused extends AppError {
  constructor() {
    super('forbidden', 'This site is not one of the domains of the project.')
  }
}

/**
 * Declares one verb of a route. The handler gets validated input and returns a reply; everything it throws is
 * answered in the one error envelope.
 */
export function route<
  const A extends Access,
  P = undefined,
  Q = undefined,
  B = undefined,
  S extends OriginScope | undefined = undefined,
>(
  declaration: RouteDeclaration<A, P, Q, B, S>,
  handler: (input: HandlerInput<A, P, Q, B, S>) => Promise<Reply> | Reply,
): Route {
  async function prepare(
    { request, pathParams }: Exchange,
    caller: CallerOf<A>,
  ): Promise<{ params: P; query: Q; body: B; project: S }> {
    const { searchParams } = new URL(request.url)
    const params = parse(declaration.params, pathParams, 'params')
    // `?status=` is how a form says that nothing was chosen.
    const given = [...searchParams].filter(([, value]) => value !== '')
    const query = parse(declaration.query, Object.fromEntries(given), 'query')
    const body = await readBody(request)
    const origin = request.headers.get('origin')
    const project = (await declaration.project?.({ params, query, body, caller, origin })) as S
    if (project && !isOriginAllowed(request, project)) throw new OriginRefused()
    return { params, query, body, project }
  }

  async function readBody(request: Request): Promise<B> {
    const { body: schema, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = declaration
    if (!schema) return undefined as B
    const read = Object.is(schema, RawBody) ? readBytes : readJson
    return validate(schema, await read(request, maxBodyBytes))
  }

  async function run(exchange: Exchange): Promise<Reply> {
    const context = contextOf(exchange)
    const caller = await admit(exchange, declaration, context)
    const key = policies[declaration.limit].per === 'caller' ? callerKey(caller, context) : context.network
    const count = (weight: number) =>
      enforceLimit(declaration.limit, key, context.now, context.logFailure, weight)
    // The count and the project are two round trips to the database that need not wait for each other.
    const [limit, input] = await Promise.allSettled([count(1), prepare(exchange, caller)])
    if (limit.status === 'rejected') throw limit.reason
    exchange.limit = limit.value
    if (input.status === 'rejected') throw input.reason
    const further = (declaration.weight?.(input.value.body) ?? 1) - 1
    if (further > 0) exchange.limit = await count(further)
    return handler({ ...input.value, caller, context })
  }

  return { declaration: declaration as unknown as Route['declaration'], run }
}

/**
 * Authenticates, and counts a failure against its address: who goes on failing gets a 429. Counted after the
 * credentials were looked at, so that right ones always let in, whatever else their address sends: guessing is ruled
 * out by how long secrets are, and not here.
 */
async function admit<A extends Access>(
  { request }: Exchange,
  { access, scope }: { access: A; scope?: Scope },
  context: RequestContext,
): Promise<CallerOf<A>> {
  try {
    return await authenticate(request, access, scope, context.now)
  } catch (error) {
    if (error instanceof AppError && error.code === 'unauthenticated')
      await enforceLimit('authentication-failure', context.network, context.now, context.logFailure)
    throw error
  }
}

function parse<T>(schema: z.ZodType<T> | undefined, input: unknown, prefix: string): T {
  return schema ? validate(schema, input, prefix) : (undefined as T)
}

function callerKey(caller: Caller, context: RequestContext): string {
  return caller.kind === 'public' ? context.network : caller.id
}

function contextOf({ request, requestId, path }: Exchange): RequestContext {
  const header = (name: string) => request.headers.get(name)
  const logFailure = (failure: unknown) => logBackgroundFailure(requestId, path, failure)
  const idempotencyKey = header('idempotency-key')?.trim()
  if (idempotencyKey && idempotencyKey.length > 255)
    throw invalidField('headers.idempotency-key', 'must have at most 255 characters')
  const address = clientAddress(request)
  const origin = header('origin')
  return {
    requestId,
    now: new Date(),
    origin,
    clientAddress: address,
    network: clientNetwork(address),
    // Asked for only: a probe of whether we live needs no valid environment.
    get fromOwnPage() {
      return origin !== null && isOwnOrigin(origin, request)
    },
    get ifMatch() {
      return readIfMatch(header('if-match'))
    },
    fromOtherSite: header('sec-fetch-site') === 'cross-site',
    cookie: name => readCookie(request, name),
    header: name => header(name) ?? undefined,
    userAgent: header('user-agent') ?? '',
    idempotencyKey: idempotencyKey || undefined,
    strict: /(?:^|[,;\s])handling\s*=\s*"?strict\b/i.test(header('prefer') ?? ''),
    background(task) {
      waitUntil(task.catch(logFailure))
    },
    logFailure,
  }
}
