import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { isDuplicateKey } from '../db/errors.js'
import { bulkUpsert, retryUpsert } from '../db/upsert.js'
import { AppError } from '../errors.js'
import { DEFAULT_PHONE_COUNTRY, normalisePhone } from './phone.js'
import { type UserProfile, userProfiles } from './user-profiles.js'
import { statusOf, type User, users } from './users.js'

/** After this long a request that won a number has written it to the profile, or never will. */
const SETTLED_MS = 10 * 60 * 1000

/**
 * A number as the phone half knows it: E.164 where it is one. What libphonenumber cannot parse is kept as it
 * came, spaces aside: the old documents use `+1234567890`.
 */
export const InventoryNumber = z
  .string()
  .trim()
  .min(3)
  .max(32)
  .transform(raw => normalisePhone(raw, DEFAULT_PHONE_COUNTRY) ?? raw.replace(/[\s()-]/g, ''))

/** A number of the inventory, and whose it is. */
export const PhoneNumber = z.object({
  _id: z.string(),
  provider: z.string().optional(),
  userId: z.instanceof(ObjectId).optional(),
  assignedAt: z.date().optional(),
  createdAt: z.date(),
})
export type PhoneNumber = z.infer<typeof PhoneNumber>

export const phoneNumbers = collection<PhoneNumber>({
  name: 'phonenumbers',
  schema: PhoneNumber,
  indexes: [
    // The numbers of a user, and the free ones (no user), smallest first.
    { name: 'userId', key: { userId: 1, _id: 1 } },
  ],
})

export const AssignPhoneInput = z.object({ phoneNumber: InventoryNumber.optional() })

export const PhoneNumberInput = z.object({
  phoneNumber: InventoryNumber,
  provider: z.string().trim().max(100).optional(),
})
export type PhoneNumberInput = z.infer<typeof PhoneNumberInput>

export const PhoneNumbersInput = z.object({ phoneNumbers: z.array(PhoneNumberInput).min(1).max(1_000) })

/**
 * Gives a user a number of the inventory: this one, or any free one. The number is won by one conditional write
 * on the inventory and then written to the profile, whose unique index is the last word; the number that it
 * replaces there is given back. A crash after the first write is mended by the retry, which finds the number to
 * be the user's own; one before the last by `releaseStrayNumbers`.
 *
 * @throws {AppError} `conflict` when the number is somebody's or none is free, `not_found` for a number that is
 *   not in the inventory.
 */
export async function assignPhoneNumber(
  userId: ObjectId,
  wanted: string | undefined,
  now: Date,
): Promise<string> {
  const number = wanted === undefined ? await winAny(userId, now) : await win(userId, wanted, now)
  const before = await writeToProfile(userId, number, now)
  // Exactly what this request replaced: another one of the same user may be winning a number right now.
  if (before !== undefined && before !== number) await release({ _id: before, userId })
  return number
}

/** Gives back every number of a user: the profile first, so that no call is routed to who has left. */
export async function releasePhoneNumbers(userId: ObjectId, now: Date): Promise<void> {
  await (await userProfiles.open()).updateOne(
    { userId },
    { $unset: { assignedPhoneNumber: '' }, $set: { updatedAt: now } },
  )
  await release({ userId })
}

/**
 * Gives back numbers that a crash left with users whose profile does not name them, once no request can still
 * be at it. Returns how many.
 */
export async function releaseStrayNumbers(now: Date): Promise<number> {
  const numbers = await phoneNumbers.open()
  const settled = { userId: { $exists: true }, assignedAt: { $lt: new Date(now.getTime() - SETTLED_MS) } }
  let released = 0
  for await (const { _id, userId } of numbers.find(settled)) {
    if (userId === undefined) continue
    const named = await (await userProfiles.open()).countDocuments(
      { userId, assignedPhoneNumber: _id },
      { limit: 1 },
    )
    if (named === 0) released += await release({ ...settled, _id, userId })
  }
  return released
}

/**
 * Whose calls come in on a number: the active user with its profile, or undefined. The number is found by one
 * indexed read; its owner's status by another.
 */
export async function getUserByPhone(
  phoneNumber: string,
): Promise<{ user: User; profile: UserProfile } | undefined> {
  const parsed = InventoryNumber.safeParse(phoneNumber)
  if (!parsed.success) return undefined
  const profile = await (await userProfiles.open()).findOne({ assignedPhoneNumber: parsed.data })
  const user = profile && (await (await users.open()).findOne({ _id: profile.userId }))
  return user && statusOf(user) === 'active' ? { user, profile } : undefined
}

/** Adds numbers to the inventory; one that is there already stays as it is. Returns how many were new. */
export async function addPhoneNumbers(inputs: readonly PhoneNumberInput[], now: Date): Promise<number> {
  if (inputs.length === 0) return 0
  const numbers = await phoneNumbers.open()
  const added = await bulkUpsert(
    numbers,
    inputs.map(({ phoneNumber, provider }) => ({
      filter: { _id: phoneNumber },
      update: { $setOnInsert: { ...(provider !== undefined && { provider }), createdAt: now } },
    })),
  )
  return added.size
}

export const PublicPhoneNumber = z.object({
  phoneNumber: z.string(),
  provider: z.string().nullable(),
  userId: z.string().nullable(),
  assignedAt: z.date().nullable(),
  createdAt: z.date(),
})
export type PublicPhoneNumber = z.infer<typeof PublicPhoneNumber>

export const PhoneNumberFilter = z.object({
  state: z.enum(['all', 'free', 'assigned']).default('all'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** The last number of the page before. */
  cursor: z.string().max(32).optional(),
})

export const PhoneNumberPage = z.object({
  items: z.array(PublicPhoneNumber),
  nextCursor: z.string().nullable(),
})

/** A page of the inventory, in the order of the numbers. */
export async function listPhoneNumbers(
  filter: z.infer<typeof PhoneNumberFilter>,
): Promise<z.infer<typeof PhoneNumberPage>> {
  const { state, limit, cursor } = filter
  const found = await (await phoneNumbers.open())
    .find({
      ...(state !== 'all' && { userId: { $exists: state === 'assigned' } }),
      ...(cursor !== undefined && { _id: { $gt: cursor } }),
    })
    .sort({ _id: 1 })
    .limit(limit + 1)
    .toArray()
  const items = found.slice(0, limit).map(toPublic)
  return { items, nextCursor: found.length > limit ? (items.at(-1)?.phoneNumber ?? null) : null }
}

/**
 * Takes a free number out of the inventory.
 *
 * @throws {AppError} `not_found`, or `conflict` for a number that is assigned.
 */
export async function removePhoneNumber(phoneNumber: string): Promise<void> {
  const numbers = await phoneNumbers.open()
  const { deletedCount } = await numbers.deleteOne({ _id: phoneNumber, userId: { $exists: false } })
  if (deletedCount === 1) return
  const known = await numbers.countDocuments({ _id: phoneNumber }, { limit: 1 })
  throw known > 0 ? new AppError('conflict', 'This phone number is assigned.') : new AppError('not_found')
}

async function win(userId: ObjectId, _id: string, now: Date): Promise<string> {
  const numbers = await phoneNumbers.open()
  const own = await numbers.findOneAndUpdate(
    { _id, $or: [{ userId: { $exists: false } }, { userId }] },
    { $set: { userId, assignedAt: now } },
  )
  if (own) return _id
  const known = await numbers.countDocuments({ _id }, { limit: 1 })
  throw known > 0 ? taken() : new AppError('not_found', 'This phone number is not in the inventory.')
}

/** The number that the user has already, else the first free one. */
async function winAny(userId: ObjectId, now: Date): Promise<string> {
  const numbers = await phoneNumbers.open()
  const own = await numbers.findOne({ userId })
  if (own) return own._id
  const won = await numbers.findOneAndUpdate(
    { userId: { $exists: false } },
    { $set: { userId, assignedAt: now } },
    { sort: { _id: 1 } },
  )
  if (!won) throw new AppError('conflict', 'No phone number is free.')
  return won._id
}

/** Returns the number that was in the profile before. */
async function writeToProfile(userId: ObjectId, number: string, now: Date): Promise<string | undefined> {
  const profiles = await userProfiles.openGuarded()
  const write = () =>
    profiles.findOneAndUpdate(
      { userId },
      { $set: { assignedPhoneNumber: number, updatedAt: now }, $setOnInsert: { createdAt: now } },
      { upsert: true, returnDocument: 'before' },
    )
  try {
    return (await retryUpsert(write))?.assignedPhoneNumber
  } catch (error) {
    if (!isDuplicateKey(error)) throw error
  }
  const holder = await profiles.findOne({ assignedPhoneNumber: number })
  if (holder)
    await (await phoneNumbers.open()).updateOne({ _id: number, userId }, { $set: { userId: holder.userId } })
  throw taken()
}

async function release(which: Filter<PhoneNumber>): Promise<number> {
  const numbers = await phoneNumbers.open()
  return (await numbers.updateMany(which, { $unset: { userId: '', assignedAt: '' } })).modifiedCount
}

function taken(): AppError {
  return new AppError('conflict', 'This phone number is assigned to another account.')
}

function toPublic({ _id, provider, userId, assignedAt, createdAt }: PhoneNumber): PublicPhoneNumber {
  return {
    phoneNumber: _id,
    provider: provider ?? null,
    userId: userId?.toHexString() ?? null,
    assignedAt: assignedAt ?? null,
    createdAt,
  }
}
