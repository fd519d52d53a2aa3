import { randomBytes } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { hashSecret, randomSecret } from '../../auth/secrets.js'
import { collection } from '../../db/collection.js'
import { env } from '../../env.js'
import { AppError } from '../../errors.js'
import { DAY_SECONDS } from '../durations.js'
import { findUser, statusOf, type User, users } from './users.js'

/** How long a session lives without being refreshed: at least as long as its access token. */
function idleLifeMs(): number {
  return Math.max(30 * DAY_SECONDS, env().accessTokenTtlSeconds) * 1000
}

/** How long the access tokens of a session live: as the deployment says, or `short` for a client that refreshes. */
export const TokenLife = z.enum(['default', 'short'])
export type TokenLife = z.infer<typeof TokenLife>

/**
 * A session: the family of refresh tokens that descend from one login, as one document, so that a rotation is
 * one atomic write and a crash cannot leave a family without a token. Only the newest token's hash is kept:
 * whatever else is presented for the family was used before, or is made up.
 */
export const Session = z.object({
  /** The family's id: random, in every refresh and access token of the session. */
  _id: z.string(),
  hash: z.string(),
  userId: z.instanceof(ObjectId),
  /** The user's `sessionVersion` at login. */
  sessionVersion: z.number().int().nonnegative(),
  /** What its client asked for at login; sessions of before that was kept are refreshed with short ones. */
  tokenLife: TokenLife.optional(),
  createdAt: z.date(),
  expiresAt: z.date(),
})
export type Session = z.infer<typeof Session>

export const sessions = collection<Session>({
  name: 'refreshtokens',
  schema: Session,
  indexes: [
    { name: 'userId', key: { userId: 1 } },
    { name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 },
  ],
})

const PREFIX = 'llr_'
const REFRESH_TOKEN = /^llr_([\w-]{22})\.([\w-]{43})$/

/** Starts a session for a user who proved who it is. */
export async function startSession(
  user: User,
  now: Date,
  tokenLife: TokenLife = 'default',
): Promise<{ session: Session; refreshToken: string }> {
  const secret = randomSecret()
  const session: Session = {
    _id: randomBytes(16).toString('base64url'),
    hash: hashSecret(secret),
    userId: user._id,
    sessionVersion: user.sessionVersion ?? 0,
    tokenLife,
    createdAt: now,
    expiresAt: new Date(now.getTime() + idleLifeMs()),
  }
  await (await sessions.open()).insertOne(session)
  return { session, refreshToken: `${PREFIX}${session._id}.${secret}` }
}

/**
 * Exchanges a refresh token for the next one of its family. Any other token of the family ends it: either a
 * thief has used it already or is using it now (RFC 9700, section 4.14.2).
 *
 * @throws {AppError} `unauthenticated` for a token that is unknown, expired, used or of an ended session.
 */
export async function rotateSession(
  refreshToken: string,
  now: Date,
): Promise<{ user: User; session: Session; refreshToken: string }> {
  const [, family, secret] = REFRESH_TOKEN.exec(refreshToken) ?? []
  if (family === undefined || secret === undefined) throw new AppError('unauthenticated')
  const nextSecret = randomSecret()
  const open = await sessions.open()
  const which = { _id: family, hash: hashSecret(secret), expiresAt: { $gt: now } }
  // The write is the last that can fail: what used the token up and got no answer could not be asked for again.
  const found = await open.findOne(which)
  const user = found && (await findUser(found.userId.toHexString()))
  const session = await open.findOneAndUpdate(
    which,
    { $set: { hash: hashSecret(nextSecret), expiresAt: new Date(now.getTime() + idleLifeMs()) } },
    { returnDocument: 'after' },
  )
  if (!session) {
    await open.deleteOne({ _id: family })
    throw new AppError('unauthenticated')
  }
  if (!user || !isLive(session, user)) throw new AppError('unauthenticated')
  return { user, session, refreshToken: `${PREFIX}${family}.${nextSecret}` }
}

/** The user of a session, if both are still in force; undefined otherwise. One round trip. */
export async function findSessionUser(
  userId: string,
  sessionId: string,
  sessionVersion: number,
  now: Date,
): Promise<User | undefined> {
  const open = await sessions.open()
  const [user, session] = await Promise.all([
    findUser(userId),
    open.findOne({ _id: sessionId, expiresAt: { $gt: now } }),
  ])
  const valid = user && session && session.sessionVersion === sessionVersion && isLive(session, user)
  return valid ? user : undefined
}

/** Ends one session: its access and refresh tokens stop working at once. */
export async function endSession(sessionId: string): Promise<void> {
  await (await sessions.open()).deleteOne({ _id: sessionId })
}

/** Ends every session of a user. Raising the version is what ends them; the rest is tidying up. */
export async function endAllSessions(userId: ObjectId, now: Date): Promise<void> {
  await (await users.openGuarded()).updateOne(
    { _id: userId },
    { $inc: { sessionVersion: 1 }, $set: { updatedAt: now } },
  )
  await forgetSessions(userId)
}

/** Deletes the sessions of a user, whose version was raised before. */
export async function forgetSessions(userId: ObjectId): Promise<void> {
  await (await sessions.open()).deleteMany({ userId })
}

function isLive(session: Session, user: User): boolean {
  return (
    session.userId.equals(user._id) &&
    statusOf(user) === 'active' &&
    session.sessionVersion === (user.sessionVersion ?? 0)
  )
}
