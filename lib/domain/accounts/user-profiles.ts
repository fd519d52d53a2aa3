import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { contended } from '../../db/errors.js'
import { retryUpsert } from '../../db/upsert.js'
import { env } from '../../env.js'
import { Subscription } from '../billing/subscriptions.js'
import { ContactPhone, UserName } from './users.js'

const VoiceModel = z.enum(['alloy', 'echo', 'fable', 'onyx', 'nova', 'shimmer'])
const ResponseLength = z.enum(['short', 'medium', 'long'])
const AiModel = z
  .string()
  .refine(model => env().aiModels.includes(model), 'is not one of the AI models offered')

/** A BCP 47 language tag that this runtime knows how to read. */
const Language = z.string().max(35).refine(isLanguage, 'must be a language tag like en or hi-IN')

/** How the agent speaks for a user. */
export const Preferences = z.object({
  voiceModel: VoiceModel,
  aiModel: AiModel,
  responseLength: ResponseLength,
  language: Language,
})
export type Preferences = z.infer<typeof Preferences>

/** Any subset of the preferences; one bad field changes nothing. */
export const PreferencesInput = Preferences.partial()
export type PreferencesInput = z.infer<typeof PreferencesInput>

const TimeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time like 09:30')
const OpeningHours = z.object({ open: TimeOfDay, close: TimeOfDay }).nullable()
const TimeZone = z.string().max(64).refine(isTimeZone, 'must be an IANA time zone like Asia/Kolkata')

/** What the agent knows of the business it speaks for. A day that is `null` is closed. */
export const BusinessInfo = z
  .object({
    company: z.string().trim().max(200),
    industry: z.string().trim().max(100),
    hours: z
      .object({
        timeZone: TimeZone,
        monday: OpeningHours,
        tuesday: OpeningHours,
        wednesday: OpeningHours,
        thursday: OpeningHours,
        friday: OpeningHours,
        saturday: OpeningHours,
        sunday: OpeningHours,
      })
      .partial(),
    greeting: z.string().trim().max(1_000),
    instructions: z.string().trim().max(10_000),
  })
  .partial()
export type BusinessInfo = z.infer<typeof BusinessInfo>

export const ProfileInput = z.object({
  name: UserName.optional(),
  phone: ContactPhone.optional(),
  businessInfo: BusinessInfo.optional(),
})
export type ProfileInput = z.infer<typeof ProfileInput>

export const UserProfile = z.object({
  _id: z.instanceof(ObjectId),
  userId: z.instanceof(ObjectId),
  /** Null as well as missing in documents of the old system. */
  assignedPhoneNumber: z.string().nullish(),
  /** Which time that the number was assigned it is: the inventory says the same. */
  phoneAssignmentId: z.instanceof(ObjectId).optional(),
  preferences: Preferences.partial().optional(),
  businessInfo: BusinessInfo.optional(),
  subscription: Subscription.optional(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type UserProfile = z.infer<typeof UserProfile>

export const userProfiles = collection<UserProfile>({
  name: 'userprofiles',
  schema: UserProfile,
  indexes: [
    { name: 'userId', key: { userId: 1 }, unique: true },
    // Whose call it is, in one read; and the last word on whose number it is. Of texts only: null is nobody's.
    {
      name: 'assignedPhoneNumber',
      key: { assignedPhoneNumber: 1 },
      unique: true,
      partialFilterExpression: { assignedPhoneNumber: { $gt: '' } },
    },
    // Whom a webhook is about.
    {
      name: 'stripeCustomerId',
      key: { 'subscription.stripeCustomerId': 1 },
      unique: true,
      partialFilterExpression: { 'subscription.stripeCustomerId': { $gt: '' } },
    },
    // Whom maintenance reads at Stripe, the longest unread first.
    {
      name: 'readAt',
      key: { 'subscription.readAt': 1 },
      partialFilterExpression: { 'subscription.stripeCustomerId': { $gt: '' } },
    },
    // Subscriptions whose period is over.
    {
      name: 'renewal',
      key: { 'subscription.status': 1, 'subscription.currentPeriodEnd': 1 },
      partialFilterExpression: { 'subscription.stripeCustomerId': { $gt: '' } },
    },
  ],
})

/**
 * Changes the preferences that are given and leaves the others.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function updateUserPreferences(
  userId: ObjectId,
  preferences: PreferencesInput,
  now: Date,
): Promise<Preferences> {
  const profile = await changeProfile(userId, { preferences }, now)
  return preferencesOf(profile)
}

/** What a user pays for, if anything. */
export async function subscriptionOf(userId: ObjectId): Promise<Subscription | undefined> {
  const profiles = await userProfiles.open()
  return (await profiles.findOne({ userId }, { projection: { subscription: 1 } }))?.subscription
}

/** Sets the leaves of a partial profile one by one, so that what is beside them stays. Creates the profile. */
export async function changeProfile(
  userId: ObjectId,
  change: Pick<UserProfile, 'businessInfo' | 'preferences'>,
  now: Date,
): Promise<UserProfile> {
  const profiles = await userProfiles.openGuarded()
  const write = () =>
    profiles.findOneAndUpdate(
      { userId },
      { $set: { ...leaves(change), updatedAt: now }, $setOnInsert: { createdAt: now } },
      { upsert: true, returnDocument: 'after' },
    )
  const profile = await retryUpsert(write)
  if (!profile) throw contended()
  return profile
}

/**
 * `{ a: { b: 1 } }` as `{ 'a.b': 1 }`. The keys are those of our schemas, so none contains a dot. The hours of a
 * day are one leaf: below a day that is closed (null) there is nothing to set.
 */
function leaves(value: Record<string, unknown>, prefix = ''): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      if (inner === undefined) return []
      const path = `${prefix}${key}`
      const nested = typeof inner === 'object' && inner !== null && !('open' in inner)
      return nested ? Object.entries(leaves(inner as Record<string, unknown>, `${path}.`)) : [[path, inner]]
    }),
  )
}

/** The stored preferences, and the default for each that is missing or not offered any more. */
export function preferencesOf(profile: Pick<UserProfile, 'preferences'> | null): Preferences {
  const stored = profile?.preferences
  const [defaultModel = ''] = env().aiModels
  return {
    voiceModel: VoiceModel.safeParse(stored?.voiceModel).data ?? 'alloy',
    aiModel: AiModel.safeParse(stored?.aiModel).data ?? defaultModel,
    responseLength: ResponseLength.safeParse(stored?.responseLength).data ?? 'medium',
    language: Language.safeParse(stored?.language).data ?? 'en',
  }
}

function isTimeZone(text: string): boolean {
  // Newer runtimes also read an offset, which knows nothing of summer time.
  if (!/^[a-z]/i.test(text)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }) !== undefined
  } catch {
    return false
  }
}

function isLanguage(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}
