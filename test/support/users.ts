import { randomBytes } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { hashPassword } from '../../lib/auth/passwords.js'
import { signAccessToken } from '../../lib/auth/tokens.js'
import { startSession } from '../../lib/domain/accounts/sessions.js'
import { User, users } from '../../lib/domain/accounts/users.js'

/** The password of every test user that was not given one. */
export const TEST_PASSWORD = 'correct horse battery'

export interface TestUserOptions extends Partial<User> {
  /** Hashed into the user; null for a user without any. */
  plainPassword?: string | null
  tokenTtlSeconds?: number
}

export interface TestUser {
  /** As it is stored. */
  user: User
  /** In clear text. */
  password: string
  token: string
  refreshToken: string
  sessionId: string
  /** What a request sends to be from this user. */
  headers: { authorization: string }
}

/** A user as it is stored, with an address of its own; parsed through the schema, `undefined` leaves a field out. */
export function storedUser(overrides: Partial<User> = {}): User {
  const createdAt = overrides.createdAt ?? new Date()
  return User.parse({
    _id: new ObjectId(),
    email: `user-${randomBytes(6).toString('hex')}@example.com`,
    role: 'user',
    status: 'active',
    sessionVersion: 0,
    createdAt,
    updatedAt: createdAt,
    ...overrides,
  })
}

/** Stores a user and signs it in: ready credentials, without a request and at the price of one cheap hash. */
export async function createTestUser(options: TestUserOptions = {}): Promise<TestUser> {
  const { plainPassword = TEST_PASSWORD, tokenTtlSeconds = 3_600, ...overrides } = options
  const hash = plainPassword === null ? {} : { passwordHash: await hashPassword(plainPassword) }
  const user = storedUser({ ...hash, ...overrides })
  await (await users.openGuarded()).insertOne(user)
  return signIn(user, plainPassword ?? '', tokenTtlSeconds)
}

/** Signs a stored user in, at the price of no hash at all. */
export async function signIn(user: User, password: string, tokenTtlSeconds = 3_600): Promise<TestUser> {
  const now = new Date()
  const { session, refreshToken } = await startSession(user, now)
  const claims = {
    userId: user._id.toHexString(),
    sessionId: session._id,
    sessionVersion: session.sessionVersion,
  }
  const token = await signAccessToken(claims, tokenTtlSeconds, now)
  return {
    user,
    password,
    token,
    refreshToken,
    sessionId: session._id,
    headers: { authorization: `Bearer ${token}` },
  }
}
