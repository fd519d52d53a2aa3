import { domainToASCII } from 'node:url'
import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { hashSecret, randomSecret } from '../../auth/secrets.js'
import { collection } from '../../db/collection.js'
import { unlessTaken } from '../../db/upsert.js'
import { AppError } from '../../errors.js'
import { HOUR_MS } from '../durations.js'
import { readId } from '../ids.js'

export const Role = z.enum(['user', 'admin'])
export const UserStatus = z.enum(['active', 'suspended', 'deleted'])

/** Not quoted, and as long as SMTP allows (RFC 5321, section 4.5.3.1); a top-level domain may be Unicode's. */
const LOCAL_PART = String.raw`(?=.{1,64}@)(?!\.)(?!.*\.\.)[a-z0-9_'+.-]*[a-z0-9_+-]`
const DOMAIN = String.raw`(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2,}|xn--[a-z0-9-]+)`
const EMAIL = new RegExp(`^${LOCAL_PART}@${DOMAIN}$`)

/**
 * An e-mail address in the one form in which it is stored and compared: compatibility-composed, lower case, the
 * domain in ASCII. Two spellings that a person cannot tell apart are one account.
 */
export const Email = z
  .string()
  .max(254)
  .transform(normaliseEmail)
  .pipe(z.string().max(254).regex(EMAIL, 'must be an e-mail address'))

/** Null where the field of a form is blank: who leaves it empty gives no name. */
export const UserName = z
  .string()
  .trim()
  .max(200)
  .nullable()
  .transform(name => name || null)
/** Null where the field of a form is blank. */
export const ContactPhone = z
  .string()
  .trim()
  .max(32)
  .refine(phone => phone === '' || phone.length >= 3, 'must have at least 3 characters')
  .nullable()
  .transform(phone => phone || null)

/** A secret that was mailed to its owner, as it is stored: hashed and with an end. One a kind is outstanding. */
const OneTimeToken = z.object({ hash: z.string(), expiresAt: z.date() })

type OneTimeTokenKind = 'verifyEmail' | 'resetPassword'

/**
 * A mail that a change of an account owes its owner: written with the change, so that no crash between the two loses
 * it, and gone once the mail is in the outbox.
 */
const OwedMail = z.object({ kind: z.enum(['verify-email', 'password-changed']), since: z.date() })
export type OwedMail = z.infer<typeof OwedMail>

const TOKEN_LIFE_MS: Record<OneTimeTokenKind, number> = {
  verifyEmail: 48 * HOUR_MS,
  resetPassword: HOUR_MS,
}

export const User = z.object({
  _id: z.instanceof(ObjectId),
  email: z.string(),
  passwordHash: z.string().optional(),
  /** The bcrypt hash of a user of the old system, until the first login here moves it to `passwordHash`. */
  password: z.string().optional(),
  name: z.string().optional(),
  phone: z.string().optional(),
  role: Role.optional(),
  status: UserStatus.optional(),
  emailVerifiedAt: z.date().optional(),
  /**
   * Signs in once its address is proven: it signed up where nobody is told whether an address is taken, and a login with
   * the password of the sign-up would tell.
   */
  provesFirst: z.literal(true).optional(),
  /**
   * API keys of the account that were made up to here are void: its address was proven only then, by who replaced
   * the password, so that whoever had registered it before need not have been its owner.
   */
  keysVoidUntil: z.date().optional(),
  /** Tokens of an earlier version are void: raised to end every session at once. */
  sessionVersion: z.number().int().nonnegative().optional(),
  verifyEmail: OneTimeToken.optional(),
  resetPassword: OneTimeToken.optional(),
  owedMail: OwedMail.optional(),
  /** Hashes of the networks of the last logins: while an account is under attack they are let through. */
  knownNetworks: z.array(z.string()).optional(),
  lastLoginAt: z.date().optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type User = z.infer<typeof User>

export const users = collection<User>({
  name: 'users',
  schema: User,
  indexes: [
    { name: 'email', key: { email: 1 }, unique: true },
    // The owner of a mailed link.
    {
      name: 'verifyEmail',
      key: { 'verifyEmail.hash': 1 },
      partialFilterExpression: { 'verifyEmail.hash': { $exists: true } },
    },
    {
      name: 'resetPassword',
      key: { 'resetPassword.hash': 1 },
      partialFilterExpression: { 'resetPassword.hash': { $exists: true } },
    },
    // Whose mail did not get into the outbox yet, longest first.
    {
      name: 'owedMail',
      key: { 'owedMail.since': 1 },
      partialFilterExpression: { 'owedMail.since': { $exists: true } },
    },
    // The admins' lists: of all, and of those of a status.
    { name: 'newest', key: { createdAt: -1, _id: -1 } },
    { name: 'status_newest', key: { status: 1, createdAt: -1, _id: -1 } },
  ],
})

/** A user as it leaves the API. */
export const PublicUser = z.object({
  id: z.string(),
  _id: z.string(),
  email: z.string(),
  name: z.string().optional(),
  phone: z.string().optional(),
  role: Role,
  status: UserStatus,
  emailVerified: z.boolean(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type PublicUser = z.infer<typeof PublicUser>

/** The explicit public shape: nothing secret can leave by being forgotten. */
export function toPublicUser(user: User): PublicUser {
  const { _id, email, name, phone, createdAt, updatedAt } = user
  const id = _id.toHexString()
  return {
    id,
    _id: id,
    email,
    ...(name !== undefined && { name }),
    ...(phone !== undefined && { phone }),
    role: user.role ?? 'user',
    status: statusOf(user),
    emailVerified: user.emailVerifiedAt !== undefined,
    createdAt,
    updatedAt,
  }
}

/** Users of the old system have no status: they are active. */
export const ACTIVE: { $nin: z.infer<typeof UserStatus>[] } = { $nin: ['suspended', 'deleted'] }

/** The same of a user that was read. */
export function statusOf(user: Pick<User, 'status'>): z.infer<typeof UserStatus> {
  return user.status ?? 'active'
}

/**
 * Creates an account. Role and status are decided here and by operators, never by a request.
 *
 * @param account `owes`: the mail that its owner is to get; `provesFirst`: it signs in only after that.
 * @throws {AppError} `conflict` when the address is taken, `unavailable` while the database is away.
 */
export async function createUser(
  account: {
    email: string
    passwordHash: string
    name?: string | null | undefined
    phone?: string | null | undefined
    owes?: OwedMail['kind']
    provesFirst?: boolean
  },
  now: Date,
  role: z.infer<typeof Role> = 'user',
): Promise<User> {
  const { email, passwordHash, name, phone, owes, provesFirst } = account
  const user: User = {
    _id: new ObjectId(),
    email,
    passwordHash,
    ...(name && { name }),
    ...(phone && { phone }),
    role,
    status: 'active',
    sessionVersion: 0,
    ...(owes && { owedMail: { kind: owes, since: now } }),
    ...(provesFirst && { provesFirst }),
    createdAt: now,
    updatedAt: now,
  }
  const open = await users.openGuarded()
  if (!(await unlessTaken(() => open.insertOne(user))))
    throw new AppError('conflict', 'This e-mail address is already registered.')
  return user
}

/** The user with this id, whatever its status; null for an id that is none. */
export async function findUser(id: string): Promise<User | null> {
  const _id = readId(id)
  return _id ? (await users.open()).findOne({ _id }) : null
}

/** The user with this address, in the form that `Email` gives it. */
export async function findUserByEmail(email: string): Promise<User | null> {
  return (await users.open()).findOne({ email })
}

/**
 * Makes a one-time token for the active user of an address and stores its hash over the one before. Returns the
 * token itself, which exists nowhere else; undefined where there is no such user.
 */
export async function issueOneTimeToken(
  email: string,
  kind: OneTimeTokenKind,
  now: Date,
): Promise<{ token: string; name?: string } | undefined> {
  const token = randomSecret()
  const user = await (await users.open()).findOneAndUpdate(
    {
      email,
      status: ACTIVE,
      ...(kind === 'verifyEmail' && { emailVerifiedAt: { $exists: false } }),
    },
    {
      $set: { [kind]: { hash: hashSecret(token), expiresAt: new Date(now.getTime() + TOKEN_LIFE_MS[kind]) } },
    },
    { projection: { name: 1 } },
  )
  return user ? { token, ...nameOf(user) } : undefined
}

/**
 * Uses a one-time token up and changes its user in the same write, so that of two requests with the same token
 * only one finds it. Who reads the mail owns the address, so that is proven by either kind. A new password is the
 * only one from then on, is told to its owner by mail, and ends every session; where it comes with the first proof,
 * every API key too.
 *
 * @throws {AppError} `invalid_request` for a token that is unknown, used or expired.
 */
export async function consumeOneTimeToken(
  kind: OneTimeTokenKind,
  token: string,
  change: { passwordHash?: string },
  now: Date,
): Promise<User> {
  const { passwordHash } = change
  const replaced = passwordHash && {
    passwordHash,
    owedMail: { kind: 'password-changed' as const, since: now },
  }
  const open = await users.openGuarded()
  const consume = (which: Filter<User>, stamp: Partial<User>) =>
    open.findOneAndUpdate(
      {
        [`${kind}.hash`]: hashSecret(token),
        [`${kind}.expiresAt`]: { $gt: now },
        status: ACTIVE,
        ...which,
      },
      {
        // Proven since the first time.
        $min: { emailVerifiedAt: now },
        $set: { updatedAt: now, ...stamp, ...replaced },
        $unset: { [kind]: '', provesFirst: '', ...(passwordHash && { password: '' }) },
        ...(passwordHash && { $inc: { sessionVersion: 1 } }),
      },
      { returnDocument: 'after' },
    )
  const isUnproven = { emailVerifiedAt: { $exists: false } }
  // Not of when the request began: whoever is signed in still may have made a key while the password was hashed.
  const proven = passwordHash && (await consume(isUnproven, { keysVoidUntil: new Date() }))
  const user = proven ? await voidKeysUntilNow(proven) : await consume({}, {})
  if (!user) throw new AppError('invalid_request', 'This link is not valid any more: ask for a new one.')
  return user
}

/**
 * Voids the keys too that were made while the sessions of the account were being ended by a write. Where that fails,
 * those of before the write are void, and the password is replaced: no failure may say that it is not.
 */
async function voidKeysUntilNow(user: User): Promise<User> {
  const keysVoidUntil = new Date()
  const voided = users.open().then(open => open.updateOne({ _id: user._id }, { $set: { keysVoidUntil } }))
  await voided.catch(() => {})
  return { ...user, keysVoidUntil }
}

/** The name of a user who gave one, to be spread into what greets by it. */
export function nameOf(user: Pick<User, 'name'>): { name?: string } {
  return user.name === undefined ? {} : { name: user.name }
}

function normaliseEmail(text: string): string {
  const [, local, domain] = /^(.*)@([^@]*)$/s.exec(text.normalize('NFKC').trim().toLowerCase()) ?? []
  // A URL parser decides what a domain is in ASCII: it would drop whatever else a URL may hold, and find one in it.
  if (local === undefined || domain === undefined || /[\s/?#\\%:]/.test(domain)) return text
  return `${local}@${domainToASCII(domain) || domain}`
}
