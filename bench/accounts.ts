import { ObjectId } from 'mongodb'
import type { AccessClaims } from '../lib/auth/tokens.js'
import { Session, sessions } from '../lib/domain/accounts/sessions.js'
import { User, users } from '../lib/domain/accounts/users.js'
import type { BenchDatabase } from './database.js'

/** Before any call, and after any run: a database that is kept has them for good. */
const CREATED_AT = new Date(Date.UTC(2026, 0, 1))
const EXPIRES_AT = new Date(Date.UTC(2100, 0, 1))

/** The account of a place: the same in every database. */
export function accountAt(position: number): User {
  return {
    _id: new ObjectId(position.toString(16).padStart(24, '0')),
    email: `account-${position}@example.com`,
    name: 'Asha Rao',
    passwordHash: `$2b$12$${'x'.repeat(53)}`,
    role: 'user',
    status: 'active',
    emailVerifiedAt: CREATED_AT,
    sessionVersion: 0,
    createdAt: CREATED_AT,
    updatedAt: CREATED_AT,
  }
}

/** The session that the account of a place has in every database that it is signed in at. */
export function sessionAt(position: number): Session {
  return {
    _id: `session-${position}`,
    hash: 'x'.repeat(43),
    userId: accountAt(position)._id,
    sessionVersion: 0,
    createdAt: CREATED_AT,
    expiresAt: EXPIRES_AT,
  }
}

/** What the token of that session says. */
export function claimsAt(position: number): AccessClaims {
  const { _id: sessionId, sessionVersion } = sessionAt(position)
  return { userId: accountAt(position)._id.toHexString(), sessionId, sessionVersion }
}

/** Stores an account that is signed in. */
export async function storeSignedIn({ db }: BenchDatabase, position: number): Promise<void> {
  await db.collection<User>(users.name).insertOne(User.parse(accountAt(position)))
  await db.collection<Session>(sessions.name).insertOne(Session.parse(sessionAt(position)))
}
