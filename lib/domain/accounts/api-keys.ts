import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { hashSecret } from '../../auth/secrets.js'
import { collection } from '../../db/collection.js'
import { after, CursorQuery, cursorPage, newestFirst, sizedPage } from '../../db/keyset.js'
import { AppError, invalidField } from '../../errors.js'
import { readId, UserId } from '../ids.js'
import { Microsite } from '../widgets/microsite.js'
import { statusOf, users } from './users.js'

/** What a key may do. A route names the one it needs. */
export const Scope = z.enum(['leads:read', 'leads:write', 'widgets:write', 'calls:write'])
export type Scope = z.infer<typeof Scope>

/** How stale `lastUsedAt` may be: a key that is used all the time is not written all the time. */
const LAST_USE_PRECISION_MS = 5 * 60 * 1000

/** What every key begins with. */
export const API_KEY_PREFIX = 'llk_'

/** After that, a prefix that names the key in lists and logs, a secret of 256 bits, and a checksum over both. */
const KEY = new RegExp(`^${API_KEY_PREFIX}([A-Za-z0-9]{8})([A-Za-z0-9]{43})([0-9a-f]{8})$`)
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export const ApiKey = z.object({
  _id: z.instanceof(ObjectId),
  hash: z.string(),
  prefix: z.string(),
  name: z.string().optional(),
  scopes: z.array(Scope),
  /** Whose key it is: it sees what its owner sees. A key of the deployment has none and sees everything. */
  ownerId: z.instanceof(ObjectId).optional(),
  /** The admin's account that made a key of the deployment; one made by a script or with `ADMIN_TOKEN` has none. */
  makerId: z.instanceof(ObjectId).optional(),
  /** Limits of the key within that, where there are any. */
  userIds: z.array(z.instanceof(ObjectId)).optional(),
  microsites: z.array(z.string()).optional(),
  expiresAt: z.date().optional(),
  revokedAt: z.date().optional(),
  lastUsedAt: z.date().optional(),
  createdAt: z.date(),
})
export type ApiKey = z.infer<typeof ApiKey>

export const apiKeys = collection<ApiKey>({
  name: 'apikeys',
  schema: ApiKey,
  indexes: [
    { name: 'hash', key: { hash: 1 }, unique: true },
    // The keys of an owner, newest first.
    { name: 'owner_newest', key: { ownerId: 1, createdAt: -1, _id: -1 } },
    { name: 'newest', key: { createdAt: -1, _id: -1 } },
  ],
})

export const ApiKeyInput = z.object({
  name: z.string().trim().min(1).max(100).optional(),
  scopes: z.array(Scope).min(1),
  userIds: z.array(UserId).min(1).max(100).optional(),
  microsites: z.array(Microsite).min(1).max(100).optional(),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
})
export type ApiKeyInput = z.infer<typeof ApiKeyInput>

export const PublicApiKey = z.object({
  id: z.string(),
  prefix: z.string(),
  name: z.string().nullable(),
  scopes: z.array(Scope),
  userIds: z.array(z.string()).nullable(),
  microsites: z.array(z.string()).nullable(),
  expiresAt: z.date().nullable(),
  revokedAt: z.date().nullable(),
  lastUsedAt: z.date().nullable(),
  createdAt: z.date(),
})
export type PublicApiKey = z.infer<typeof PublicApiKey>

/**
 * Makes a key. The key itself is in this answer and nowhere else.
 *
 * @param makerId the admin's account behind a key without an owner.
 * @throws {AppError} `forbidden` for a key to other users' data than the owner's, `invalid_request` for one that
 *   has ended already.
 */
export async function createApiKey(
  input: ApiKeyInput,
  ownerId: ObjectId | undefined,
  now: Date,
  makerId?: ObjectId,
): Promise<{ key: string; apiKey: PublicApiKey }> {
  if (ownerId && input.userIds?.some(id => !ownerId.equals(id)))
    throw new AppError('forbidden', 'A key of yours reaches your own data only.')
  if (input.expiresAt !== undefined && new Date(input.expiresAt) <= now)
    throw invalidField('expiresAt', 'must be in the future')
  const prefix = randomText(8)
  const secret = randomText(43)
  const key = `${API_KEY_PREFIX}${prefix}${secret}${checksum(prefix + secret)}`
  const { name, scopes, userIds, microsites, expiresAt } = input
  const stored: ApiKey = {
    _id: new ObjectId(),
    hash: hashSecret(key),
    prefix,
    ...(name !== undefined && { name }),
    scopes,
    ...(ownerId && { ownerId }),
    ...(makerId && { makerId }),
    ...(userIds && { userIds: userIds.map(id => new ObjectId(id)) }),
    ...(microsites && { microsites }),
    ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt) }),
    createdAt: now,
  }
  await (await apiKeys.openGuarded()).insertOne(stored)
  return { key, apiKey: toPublic(stored) }
}

/** Whether a text has the form of a key, checksum included: a mistyped one costs no query. */
export function isApiKey(text: string): boolean {
  const [, prefix, secret, sum] = KEY.exec(text) ?? []
  return prefix !== undefined && secret !== undefined && sum === checksum(prefix + secret)
}

/**
 * The key in force behind a text, or undefined. Found by its hash, which nobody can aim at. A key ends with its
 * owner's account, and rests while that is suspended; one of the deployment rests while the admin who made it is none.
 * The last use is noted every few minutes.
 */
export async function findApiKey(text: string, now: Date): Promise<ApiKey | undefined> {
  if (!isApiKey(text)) return undefined
  const keys = await apiKeys.open()
  const stored = await keys.findOne({ hash: hashSecret(text) })
  if (!stored || stored.revokedAt || (stored.expiresAt && stored.expiresAt <= now)) return undefined
  if (!(await isBacked(stored))) return undefined
  if (!stored.lastUsedAt || now.getTime() - stored.lastUsedAt.getTime() > LAST_USE_PRECISION_MS)
    await keys.updateOne({ _id: stored._id }, { $max: { lastUsedAt: now } })
  return stored
}

export const ApiKeyFilter = CursorQuery

export const ApiKeyPage = cursorPage(PublicApiKey)

/**
 * A page of the keys of an owner, newest first; without an owner, of those of everybody. It ends early where they are
 * limited to so much that an answer could not have them all.
 */
export async function listApiKeys(
  ownerId: ObjectId | undefined,
  { limit, cursor }: z.infer<typeof ApiKeyFilter>,
): Promise<z.infer<typeof ApiKeyPage>> {
  const keys = await apiKeys.open()
  const fetched = await keys
    .find({ ...(ownerId && { ownerId }), ...(cursor && after<ApiKey>(cursor)) })
    .sort(newestFirst)
    .limit(limit + 1)
    .toArray()
  return sizedPage(fetched, limit, toPublic)
}

/** Every key of an owner, newest first, as they are read; without an owner, those of everybody. */
export async function* streamApiKeys(ownerId: ObjectId | undefined): AsyncGenerator<PublicApiKey> {
  const keys = await apiKeys.open()
  for await (const key of keys.find(ownerId ? { ownerId } : {}).sort(newestFirst)) yield toPublic(key)
}

/**
 * Revokes a key, at once and for good.
 *
 * @throws {AppError} `not_found` for a key that is not the owner's.
 */
export async function revokeApiKey(
  id: string,
  ownerId: ObjectId | undefined,
  now: Date,
): Promise<PublicApiKey> {
  const _id = readId(id)
  if (!_id) throw new AppError('not_found')
  const revoked = await (await apiKeys.open()).findOneAndUpdate(
    { _id, ...(ownerId && { ownerId }) },
    { $min: { revokedAt: now } },
    { returnDocument: 'after' },
  )
  if (!revoked) throw new AppError('not_found')
  return toPublic(revoked)
}

/**
 * Revokes the keys of an owner that were made up to a moment. They are void without it (`keysVoidUntil`): this is
 * what shows in lists.
 */
export async function revokeKeysUntil(ownerId: ObjectId, moment: Date): Promise<void> {
  const keys = await apiKeys.open()
  await keys.updateMany({ ownerId, createdAt: { $lte: moment } }, { $min: { revokedAt: moment } })
}

/** Whether the account that a key stands on still bears it. */
async function isBacked({ ownerId, makerId, createdAt }: ApiKey): Promise<boolean> {
  const _id = ownerId ?? makerId
  if (_id === undefined) return true
  const user = await (await users.open()).findOne(
    { _id },
    { projection: { status: 1, role: 1, keysVoidUntil: 1 } },
  )
  if (!user || statusOf(user) !== 'active') return false
  return ownerId ? !user.keysVoidUntil || createdAt > user.keysVoidUntil : user.role === 'admin'
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

function toPublic(key: ApiKey): PublicApiKey {
  return {
    id: key._id.toHexString(),
    prefix: `${API_KEY_PREFIX}${key.prefix}`,
    name: key.name ?? null,
    scopes: key.scopes,
    userIds: key.userIds?.map(String) ?? null,
    microsites: key.microsites ?? null,
    expiresAt: key.expiresAt ?? null,
    revokedAt: key.revokedAt ?? null,
    lastUsedAt: key.lastUsedAt ?? null,
    createdAt: key.createdAt,
  }
}
