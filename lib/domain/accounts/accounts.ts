import type { ObjectId } from 'mongodb'
import { z } from 'zod'
import {
  hashPassword,
  NewPassword,
  needsRehash,
  PasswordAttempt,
  verifyPassword,
} from '../../auth/passwords.js'
import { requireAuthSecret, signAccessToken } from '../../auth/tokens.js'
import { env } from '../../env.js'
import { AppError, invalidField } from '../../errors.js'
import { enqueueAccountMail, sendOwedMail } from './account-mails.js'
import { revokeKeysUntil } from './api-keys.js'
import { isKnownNetwork, rememberNetwork } from './known-networks.js'
import { admitLoginAttempt, countAsSuccess, forgetFailures } from './login-throttle.js'
import {
  endAllSessions,
  endSession,
  forgetSessions,
  rotateSession,
  type Session,
  startSession,
  TokenLife,
} from './sessions.js'
import {
  ContactPhone,
  consumeOneTimeToken,
  createUser,
  Email,
  findUserByEmail,
  type PublicUser,
  statusOf,
  toPublicUser,
  type User,
  UserName,
  users,
} from './users.js'

/** A token that a client may ask to be short-lived, because it refreshes. */
const SHORT_TTL_SECONDS = 15 * 60

const TokenWishes = z.object({
  /** `short`: an access token of 15 minutes, for clients that refresh. */
  tokenLife: TokenLife.default('default'),
  /** `cookie`: a browser session of our own pages; the tokens are in HttpOnly cookies and not in the answer. */
  session: z.enum(['token', 'cookie']).default('token'),
})

export const RegisterInput = z
  .object({
    email: Email,
    password: NewPassword,
    name: UserName.optional(),
    phone: ContactPhone.optional(),
  })
  .extend(TokenWishes.shape)
export type RegisterInput = z.infer<typeof RegisterInput>

export const LoginInput = z.object({ email: Email, password: PasswordAttempt }).extend(TokenWishes.shape)
export type LoginInput = z.infer<typeof LoginInput>

export const RefreshInput = z.object({ refreshToken: z.string().max(200).optional() })
export const EmailInput = z.object({ email: Email })
export const LogoutInput = z.object({
  /** Every session of the user, not only this one. */
  everywhere: z.boolean().optional(),
})
/** Who is signed in need not say which address. */
export const ResendInput = z.object({ email: Email.optional() })
export const VerifyEmailInput = z.object({ token: z.string().min(1).max(200) })
export const ResetPasswordInput = z.object({ token: z.string().min(1).max(200), password: NewPassword })

/** A user who is signed in, with what proves it from now on. */
export interface SignedIn {
  user: PublicUser
  token: string
  refreshToken: string
  /** Seconds until `token` ends. */
  expiresIn: number
  /** Seconds until `refreshToken` does, and the session with it. */
  refreshExpiresIn: number
}

/** What an account operation has to know of the request it came with. */
export interface AccountRequest {
  now: Date
  /** The client's network, as limits count it. */
  network: string
  background(task: Promise<unknown>): void
}

/**
 * Creates an account and signs it in. In strict mode it answers the same (undefined) whether or not the address
 * is taken, and the address's owner learns of it by mail: the account signs in once its address is proven.
 *
 * @throws {AppError} `conflict` for a taken address, unless in strict mode; `not_configured` without a secret.
 */
export async function register(input: RegisterInput, request: AccountRequest): Promise<SignedIn | undefined> {
  requireAuthSecret()
  const { email, name, phone } = input
  const { now } = request
  const passwordHash = await hashPassword(input.password)
  const { strictSignup } = env()
  const owes = 'verify-email'
  const account = { email, passwordHash, name, phone, owes, provesFirst: strictSignup } as const
  const created = await createUser(account, now).catch(error => {
    if (strictSignup && error instanceof AppError && error.code === 'conflict') return undefined
    throw error
  })
  // Not awaited: a failure would say of an account that is made that it is not.
  request.background(
    created ? sendOwedMail(created, now) : enqueueAccountMail('address-taken', email, request),
  )
  return created && !strictSignup ? signIn(created, input.tokenLife, request) : undefined
}

/**
 * Signs in with a password. An unknown address, a wrong password, a suspended account and one that has to prove its
 * address first are one answer, at the price of one comparison each.
 *
 * @throws {AppError} `unauthenticated`, `rate_limited` after too many failures, `not_configured` without a secret.
 */
export async function login(input: LoginInput, request: AccountRequest): Promise<SignedIn> {
  requireAuthSecret()
  const user = await checkPassword(input.email, input.password, request)
  return signIn(user, input.tokenLife, request)
}

/**
 * The user with this address and password. A hash of the old system, or of a lower cost, is rewritten.
 *
 * @throws {AppError} `unauthenticated`, or `rate_limited` after too many failures.
 */
export async function checkPassword(email: string, password: string, request: AccountRequest): Promise<User> {
  const { now, network } = request
  const user = await findUserByEmail(email)
  const networkIsKnown = user !== null && isKnownNetwork(user, network)
  const attempt = { email, network, networkIsKnown }
  await admitLoginAttempt(attempt, now)

  const hash = user?.passwordHash ?? user?.password
  const matches = await verifyPassword(password, hash)
  if (!matches || !user || !hash || statusOf(user) !== 'active' || user.provesFirst)
    throw new AppError('unauthenticated', 'The e-mail address or the password is wrong.')

  await countAsSuccess(attempt)
  const rewrite = user.passwordHash === undefined || needsRehash(hash)
  const passwordHash = rewrite ? await hashPassword(password) : undefined
  const open = await users.openGuarded()
  await open.updateOne(
    // Not over a password that was changed since it was read.
    { _id: user._id, ...(user.passwordHash ? { passwordHash: hash } : { password: hash }) },
    {
      $set: { lastLoginAt: now, ...(passwordHash && { passwordHash }) },
      ...(rewrite && { $unset: { password: '' } }),
    },
  )
  if (!networkIsKnown) await rememberNetwork(user._id, network)
  return user
}

/**
 * Exchanges a refresh token for new tokens, which live as long as the client asked for when it signed in.
 *
 * @throws {AppError} `unauthenticated`; a token that was used before ends its whole session. `not_configured` without a
 *   secret.
 */
export async function refresh(refreshToken: string, now: Date): Promise<SignedIn> {
  requireAuthSecret()
  const { user, session, refreshToken: next } = await rotateSession(refreshToken, now)
  return signedIn(user, session, next, now)
}

/**
 * Asks for the mail that proves an address: the one that is given, or that of who is signed in. The answer is the
 * same for every address.
 *
 * @throws {AppError} `invalid_request` where there is neither.
 */
export async function requestVerification(
  input: z.infer<typeof ResendInput>,
  user: User | undefined,
  request: AccountRequest,
): Promise<void> {
  const email = input.email ?? user?.email
  if (email === undefined) throw invalidField('email', 'is required')
  await enqueueAccountMail('verify-email', email, request)
}

/** Asks for the mail that lets a forgotten password be replaced. The answer is the same for every address. */
export async function requestPasswordReset(email: string, request: AccountRequest): Promise<void> {
  await enqueueAccountMail('reset-password', email, request)
}

/**
 * Proves an address with a mailed token.
 *
 * @throws {AppError} `invalid_request` for a token that is unknown, used or expired.
 */
export async function verifyEmail(token: string, now: Date): Promise<PublicUser> {
  return toPublicUser(await consumeOneTimeToken('verifyEmail', token, {}, now))
}

/**
 * Replaces a password with a mailed token, proves the address and ends every session. Where the address was not
 * proven before, it also ends every API key: they may be those of somebody who registered another's address.
 *
 * @throws {AppError} `invalid_request` for a token that is unknown, used or expired.
 */
export async function resetPassword(token: string, password: string, request: AccountRequest): Promise<void> {
  const { now } = request
  const passwordHash = await hashPassword(password)
  const user = await consumeOneTimeToken('resetPassword', token, { passwordHash }, now)
  // Not awaited: the password is replaced, and a failure would say that it is not.
  request.background(followReset(user, request))
}

/**
 * What follows a new password. Sessions and keys are void already: what is left of them is tidied up. Whoever reads the
 * account's mail is its owner, whom no guessing keeps out: the network is one of the owner's from then on.
 */
async function followReset(user: User, { now, network }: AccountRequest): Promise<void> {
  const { _id, email, keysVoidUntil } = user
  await Promise.all([rememberNetwork(_id, network), forgetFailures(email, network), forgetSessions(_id)])
  if (keysVoidUntil) await revokeKeysUntil(_id, keysVoidUntil)
  await sendOwedMail(user, now)
}

/** Ends this session, or every session of the user: their tokens stop working at once. */
export async function logout(
  userId: ObjectId,
  sessionId: string,
  input: z.infer<typeof LogoutInput>,
  now: Date,
): Promise<void> {
  if (input.everywhere) await endAllSessions(userId, now)
  else await endSession(sessionId)
}

async function signIn(user: User, life: TokenLife, { now }: AccountRequest): Promise<SignedIn> {
  const { session, refreshToken } = await startSession(user, now, life)
  return signedIn(user, session, refreshToken, now)
}

/** What a client asks for is never longer than what the deployment gives. */
function ttlSecondsOf({ tokenLife = 'short' }: Session): number {
  const { accessTokenTtlSeconds } = env()
  return tokenLife === 'short' ? Math.min(SHORT_TTL_SECONDS, accessTokenTtlSeconds) : accessTokenTtlSeconds
}

async function signedIn(user: User, session: Session, refreshToken: string, now: Date): Promise<SignedIn> {
  const { _id: sessionId, sessionVersion } = session
  const claims = { userId: user._id.toHexString(), sessionId, sessionVersion }
  const ttlSeconds = ttlSecondsOf(session)
  const token = await signAccessToken(claims, ttlSeconds, now)
  const refreshExpiresIn = (session.expiresAt.getTime() - now.getTime()) / 1000
  return { user: toPublicUser(user), token, refreshToken, expiresIn: ttlSeconds, refreshExpiresIn }
}
