import { createHash, timingSafeEqual } from 'node:crypto'
import { env } from '../env.js'
import { AppError } from '../errors.js'

/**
 * Who may use a route. `public`: anybody, and an `Authorization` header is not looked at (old dashboards send
 * their widget key everywhere). `operator`: whoever may read leads. `cron`: the platform's scheduler.
 */
export type Access = 'public' | 'operator' | 'cron'

export interface PublicCaller {
  kind: 'public'
}
/** Sees everything. `id` is stable per identity: limits and histories are keyed on it. */
export interface AdminCaller {
  kind: 'admin'
  id: string
}
export interface CronCaller {
  kind: 'cron'
  id: string
}

/** The callers that a route with this access can meet. */
export type CallerOf<A extends Access> = A extends 'public'
  ? PublicCaller
  : A extends 'operator'
    ? AdminCaller
    : CronCaller | AdminCaller

export type Caller = PublicCaller | AdminCaller | CronCaller

/**
 * The caller of a request.
 *
 * @throws {AppError} `unauthenticated` without valid credentials, `not_configured` where the deployment has no
 *   secret to compare with.
 */
export function authenticate<A extends Access>(request: Request, access: A): CallerOf<A>
export function authenticate(request: Request, access: Access): Caller {
  if (access === 'public') return { kind: 'public' }
  const { adminToken, cronSecret } = env()
  const token = bearerToken(request)
  if (matches(token, adminToken)) return { kind: 'admin', id: 'admin-token' }
  if (access === 'cron') {
    if (cronSecret === undefined)
      throw new AppError('not_configured', 'CRON_SECRET is not set on this deployment.')
    if (matches(token, cronSecret)) return { kind: 'cron', id: 'cron' }
  }
  throw new AppError('unauthenticated')
}

function bearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

/** Compares digests, so that neither length nor content shows in the time it takes. */
function matches(given: string | undefined, secret: string | undefined): boolean {
  if (given === undefined || secret === undefined) return false
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(secret))
}
