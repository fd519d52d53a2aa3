import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { ObjectId } from 'mongodb'
import { hashSecret } from '../lib/auth/secrets.js'
import { ApiKey, apiKeys, isApiKey } from '../lib/domain/accounts/api-keys.js'
import { type UserProfile, userProfiles } from '../lib/domain/accounts/user-profiles.js'
import { User, users } from '../lib/domain/accounts/users.js'
import { entitlementAt } from '../lib/domain/billing/subscriptions.js'
import { newPeriod, type UsagePeriod, usagePeriods } from '../lib/domain/usage/usage-periods.js'
import { ACCOUNTS, numberAt } from './account-numbers.js'
import { accountAt } from './accounts.js'
import type { BenchDatabase } from './database.js'

/** One more account, without limits; the plan of the others has some, which are looked at and not reached. */
export const UNLIMITED = ACCOUNTS

const HOUR_MS = 60 * 60 * 1000

/** Stores the accounts that take calls, with a number, a plan and this month's usage, and the key of who posts them. */
export async function storeCallees({ db }: BenchDatabase): Promise<{ apiKey: string }> {
  const now = new Date()
  const positions = [...Array(ACCOUNTS).keys(), UNLIMITED]
  const profiles = positions.map(position => profileAt(position, now))
  await db.collection<User>(users.name).insertMany(positions.map(at => User.parse(accountAt(at))))
  await db.collection<UserProfile>(userProfiles.name).insertMany(profiles)
  await db
    .collection<UsagePeriod>(usagePeriods.name)
    .insertMany(
      profiles.map(({ userId, subscription }) => newPeriod(userId, entitlementAt(subscription, now), now)),
    )
  const apiKey = newKey()
  await db.collection<ApiKey>(apiKeys.name).insertOne(
    ApiKey.parse({
      _id: new ObjectId(),
      hash: hashSecret(apiKey),
      prefix: apiKey.slice(4, 12),
      scopes: ['calls:write'],
      createdAt: now,
      // A use is noted once in minutes: in none of the requests that are recorded.
      lastUsedAt: new Date(now.getTime() + HOUR_MS),
    }),
  )
  return { apiKey }
}

function profileAt(position: number, now: Date): UserProfile {
  return {
    _id: new ObjectId(),
    userId: accountAt(position)._id,
    assignedPhoneNumber: numberAt(position),
    preferences: { voiceModel: 'nova', responseLength: 'medium', language: 'en' },
    subscription: { plan: position === UNLIMITED ? 'enterprise' : 'premium', status: 'active' },
    createdAt: now,
    updatedAt: now,
  }
}

/** A key in the form that the product checks before it looks for one. */
function newKey(): string {
  const random = randomBytes(26).toString('hex').slice(0, 51)
  const key = `llk_${random}${crc32(random).toString(16).padStart(8, '0')}`
  if (!isApiKey(key)) throw new Error('API keys have another form by now')
  return key
}
