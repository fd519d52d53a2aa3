import { z } from 'zod'
import { AppError } from '../../errors.js'
import { PublicSubscription, toPublicSubscription } from '../billing/subscriptions.js'
import { UsageReport, usageAt } from '../usage/usage.js'
import {
  BusinessInfo,
  changeProfile,
  Preferences,
  type ProfileInput,
  preferencesOf,
  type UserProfile,
  userProfiles,
} from './user-profiles.js'
import { PublicUser, toPublicUser, type User, users } from './users.js'

/** A user with everything that belongs to it, as dashboards read it. */
export const PublicProfile = PublicUser.extend({
  profile: z.object({
    preferences: Preferences,
    subscription: PublicSubscription,
    usage: UsageReport,
    businessInfo: BusinessInfo,
    assignedPhoneNumber: z.string().nullable(),
  }),
})
export type PublicProfile = z.infer<typeof PublicProfile>

/** The user with its profile; a user without one has the defaults. */
export async function getProfile(user: User, now: Date): Promise<PublicProfile> {
  const stored = await (await userProfiles.open()).findOne({ userId: user._id })
  return toPublic(user, stored, now)
}

/**
 * Changes the fields that are given and leaves the others: of two concurrent updates both survive. A name or phone that
 * is given as null or blank is taken out.
 *
 * @throws {AppError} `not_found` for an account that was erased meanwhile, `unavailable` while the database is away.
 */
export async function updateProfile(user: User, input: ProfileInput, now: Date): Promise<PublicProfile> {
  const { businessInfo, ...account } = input
  const fields = Object.entries(account)
  const cleared = fields.filter(([, value]) => value === null)
  // The account first: where it was erased meanwhile, nothing may be written.
  const updated = await (await users.openGuarded()).findOneAndUpdate(
    { _id: user._id, status: { $ne: 'deleted' } },
    {
      $set: { ...Object.fromEntries(fields.filter(([, value]) => value !== null)), updatedAt: now },
      ...(cleared.length > 0 && { $unset: Object.fromEntries(cleared.map(([field]) => [field, ''])) }),
    },
    { returnDocument: 'after' },
  )
  if (!updated) throw new AppError('not_found')
  return toPublic(updated, await changeProfile(user._id, businessInfo ? { businessInfo } : {}, now), now)
}

async function toPublic(user: User, profile: UserProfile | null, now: Date): Promise<PublicProfile> {
  return {
    ...toPublicUser(user),
    profile: {
      preferences: preferencesOf(profile),
      subscription: toPublicSubscription(profile?.subscription, now),
      usage: await usageAt(user._id, profile?.subscription, now),
      businessInfo: profile?.businessInfo ?? {},
      assignedPhoneNumber: profile?.assignedPhoneNumber ?? null,
    },
  }
}
