import { hash, timingSafeEqual } from 'node:crypto'
import { API_KEY_PREFIX, findApiKey } from '../domain/accounts/api-keys.js'
import { findSessionUser } from '../domain/accounts/sessions.js'
import { env } from '../env.js'
import { AppError } from '../errors.js'
import type { Access, AdminCaller, Caller, UserCaller } from './caller.js'
import { ACCESS_COOKIE, readCookie } from './cookies.js'
import { isOwnOrigin } from './origins.js'
import { verifyAccessToken } from './tokens.js'

/**
 * Who a request proves to be from, or undefined. A header goes before a cookie: who sends one means it.
 *
 * @throws {AppError} `forbidden` for a write that a foreign page sends with our cookie, `not_configured` where a
 *   cron calls and there is no secret to compare with.
 */
export async function identify(request: Request, access: Access, now: Date): Promise<Caller | undefined> {
  const caller = await callerOf(request, access, now)
  if (!caller && access === 'cron' && env().cronSecret === undefined)
    throw new AppError('not_configured', 'CRON_SECRET is not set on this deployment.')
  return caller
}

async function callerOf(request: Request, access: Access, now: Date): Promise<Caller | undefined> {
  const bearer = bearerToken(request)
  // A client whose key is not set yet sends an empty header.
  const apiKey = request.headers.get('x-api-key')?.trim() || (bearer?.startsWith(API_KEY_PREFIX) && bearer)
  if (apiKey) {
    const key = await findApiKey(apiKey, now)
    return key && { kind: 'service', id: `key:${key._id}`, key }
  }
  if (bearer !== undefined) {
    const { adminToken, cronSecret } = env()
    if (sameSecret(bearer, adminToken)) return { kind: 'admin', id: 'admin-token' }
    if (sameSecret(bearer, cronSecret)) return { kind: 'cron', id: 'cron' }
    return signedInUser(bearer, access, now)
  }
  const cookie = readCookie(request, ACCESS_COOKIE)
  return cookie === undefined || !maySendCookies(request) ? undefined : signedInUser(cookie, access, now)
}

/** An admin's account is a user where the route is about accounts, and an admin everywhere else. */
async function signedInUser(
  token: string,
  access: Access,
  now: Date,
): Promise<UserCaller | AdminCaller | undefined> {
  const claims = await verifyAccessToken(token, now)
  if (!claims) return undefined
  const { userId, sessionId, sessionVersion, expiresAt } = claims
  const user = await findSessionUser(userId, sessionId, sessionVersion, now)
  if (!user) return undefined
  if (user.role === 'admin' && access !== 'user' && access !== 'anyone')
    return { kind: 'admin', id: `user:${userId}`, userId: user._id }
  return { kind: 'user', id: `user:${userId}`, user, sessionId, expiresAt }
}

/**
 * Whether the page that sends our cookie may act for who is signed in. CORS reflects any origin, so it is decided
 * here: reads without an `Origin` must not come from another site, and a write needs an origin of ours (OWASP
 * CSRF prevention: verifying origin with standard headers, and fetch metadata).
 *
 * @throws {AppError} `forbidden` for the write of a foreign page.
 */
function maySendCookies(request: Request): boolean {
  const origin = request.headers.get('origin')
  const safe = request.method === 'GET' || request.method === 'HEAD'
  if (origin !== null && isOwnOrigin(origin, request)) return true
  if (!safe) throw new AppError('forbidden', 'A write with a session cookie must come from our own pages.')
  const site = request.headers.get('sec-fetch-site')
  return origin === null && (site === null || site === 'same-origin' || site === 'none')
}

function bearerToken(request: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

/** Compares digests, so that neither length nor content shows in the time it takes. */
function sameSecret(given: string, secret: string | undefined): boolean {
  if (secret === undefined) return false
  const digest = (text: string) => hash('sha256', text, 'buffer')
  return timingSafeEqual(digest(given), digest(secret))
}
