import { hash } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { env } from '../env.js'
import { AppError } from '../errors.js'

const ISSUER = 'leadline'
const AUDIENCE = 'leadline-api'
/** Pinned on both sides: what a token says of its own algorithm is not believed (RFC 8725, section 3.1). */
const ALGORITHM = 'HS256'

/** What an access token says: whose it is, of which session, and of which generation of the user's sessions. */
export interface AccessClaims {
  userId: string
  sessionId: string
  sessionVersion: number
}

/**
 * To be asked before anything is done that ends in a token.
 *
 * @throws {AppError} `not_configured` where the deployment has no secret.
 */
export function requireAuthSecret(): void {
  signingKey()
}

/**
 * Signs an access token with the current secret.
 *
 * @throws {AppError} `not_configured` where the deployment has no secret.
 */
export async function signAccessToken(claims: AccessClaims, ttlSeconds: number, now: Date): Promise<string> {
  const key = signingKey()
  const issuedAt = Math.floor(now.getTime() / 1000)
  return new SignJWT({ sid: claims.sessionId, ver: claims.sessionVersion })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: key.id })
    .setSubject(claims.userId)
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ttlSeconds)
    .sign(key.secret)
}

/**
 * What a token says, if it is ours and not expired; undefined for every other one. A secret that was replaced
 * still verifies the tokens of its time, found by `kid`.
 */
export async function verifyAccessToken(
  token: string,
  now: Date,
): Promise<(AccessClaims & { expiresAt: Date }) | undefined> {
  try {
    const { payload } = await jwtVerify(token, ({ kid }) => secretOf(kid), {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      currentDate: now,
    })
    const { sub, sid, ver, exp } = payload
    if (sub === undefined || typeof sid !== 'string' || typeof ver !== 'number' || exp === undefined)
      return undefined
    return { userId: sub, sessionId: sid, sessionVersion: ver, expiresAt: new Date(exp * 1000) }
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined
    throw error
  }
}

function signingKey(): Key {
  const { authSecret } = env()
  if (authSecret === undefined)
    throw new AppError('not_configured', 'AUTH_SECRET is not set on this deployment.')
  return keyOf(authSecret)
}

function secretOf(kid: string | undefined): Uint8Array {
  const { authSecret, authSecretPrevious } = env()
  const keys = [authSecret, authSecretPrevious].flatMap(secret => (secret === undefined ? [] : keyOf(secret)))
  const key = keys.find(({ id }) => id === kid)
  if (!key) throw new errors.JWKSNoMatchingKey()
  return key.secret
}

interface Key {
  /** Tells secrets apart without telling them. */
  id: string
  secret: Uint8Array
}

function keyOf(secret: string): Key {
  const id = hash('sha256', `kid:${secret}`, 'base64url').slice(0, 8)
  return { id, secret: new TextEncoder().encode(secret) }
}
