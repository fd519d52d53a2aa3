import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { CursorQuery, cursorPage } from '../../db/keyset.js'
import { insertNew } from '../../db/upsert.js'
import { AppError } from '../../errors.js'
import { userProfiles } from '../accounts/user-profiles.js'
import { DEFAULT_PHONE_COUNTRY, normalisePhone, QueryPhone } from './phone.js'

const NOT_A_NUMBER = 'must be a phone number'

/**
 * A number as the phone half knows it: E.164 where it is one. What libphonenumber cannot parse is kept as it
 * came, punctuation aside: the old documents use `+1234567890`. Nothing but a number: libphonenumber would find
 * one in any text, and a cell of a spreadsheet like `9.19E+11` would become one.
 */
export const InventoryNumber = z
  .string()
  .trim()
  .regex(/^(?:tel:)?[+\uff0b\p{Nd}\p{Zs}\p{Pd}()./]{3,32}$/u, NOT_A_NUMBER)
  .transform(raw => normalisePhone(raw, DEFAULT_PHONE_COUNTRY) ?? raw.replace(/[^+\d]/g, ''))
  .pipe(z.string().regex(/^\+?\d{3,20}$/, NOT_A_NUMBER))

/** A number of the inventory, and whose it is. */
export const PhoneNumber = z.object({
  _id: z.string(),
  provider: z.string().optional(),
  userId: z.instanceof(ObjectId).optional(),
  assignedAt: z.date().optional(),
  /** Another one for each time that it is won, even by the same user: who gives it back says which time it means. */
  assignmentId: z.instanceof(ObjectId).optional(),
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
 * Adds numbers to the inventory; one that is there already stays as it is, and one that a profile names already is
 * that user's. Returns how many were new.
 */
export async function addPhoneNumbers(inputs: readonly PhoneNumberInput[], now: Date): Promise<number> {
  if (inputs.length === 0) return 0
  const numbers = await phoneNumbers.open()
  const wanted = inputs.map(({ phoneNumber }) => phoneNumber)
  const named = await (await userProfiles.open()).find({ assignedPhoneNumber: { $in: wanted } }).toArray()
  const holders = new Map(named.map(({ assignedPhoneNumber, userId }) => [assignedPhoneNumber, userId]))
  const added = await insertNew(
    numbers,
    inputs.map(({ phoneNumber, provider }) => {
      const userId = holders.get(phoneNumber)
      return {
        _id: phoneNumber,
        ...(provider !== undefined && { provider }),
        ...(userId && { userId, assignedAt: now }),
        createdAt: now,
      }
    }),
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

export const PhoneNumberFilter = CursorQuery.extend({
  state: z.enum(['all', 'free', 'assigned']).default('all'),
  /** The last number of the page before. */
  cursor: QueryPhone.pipe(z.string().max(32)).optional(),
})

export const PhoneNumberPage = cursorPage(PublicPhoneNumber)

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

function toPublic({ _id, provider, userId, assignedAt, createdAt }: PhoneNumber): PublicPhoneNumber {
  return {
    phoneNumber: _id,
    provider: provider ?? null,
    userId: userId?.toHexString() ?? null,
    assignedAt: assignedAt ?? null,
    createdAt,
  }
}
