import type { ObjectId } from 'mongodb'
import { createCustomer } from '../../billing/checkout.js'
import { contended } from '../../db/errors.js'
import { retryUpsert } from '../../db/upsert.js'
import { userProfiles } from '../accounts/user-profiles.js'
import type { User } from '../accounts/users.js'

/**
 * The Stripe customer of a user, made by the first request that needs one. It is stored before anything is bought,
 * so that no event is about a customer that nobody here has. A crash before that is mended by the retry, which is
 * given the same customer by Stripe.
 *
 * @param replaced a customer that Stripe does not know any more: another one takes its place.
 * @throws {AppError} `unavailable` while Stripe or the database is away, `not_configured` without a key.
 */
export async function ensureCustomer(user: User, replaced: string | undefined, now: Date): Promise<string> {
  const profile = await (await userProfiles.open()).findOne({ userId: user._id })
  const stored = profile?.subscription?.stripeCustomerId
  if (stored && stored !== replaced) return stored
  const { _id, email, name } = user
  const id = await createCustomer({ userId: _id.toHexString(), email, name, replaces: replaced })
  return storeCustomer(_id, id, replaced, now)
}

/** Stores a customer where there is none. Returns the one that is there then. */
async function storeCustomer(
  userId: ObjectId,
  id: string,
  replaced: string | undefined,
  now: Date,
): Promise<string> {
  const profiles = await userProfiles.openGuarded()
  const stored = { $ifNull: ['$subscription.stripeCustomerId', ''] }
  const stripeCustomerId = { $cond: [{ $in: [stored, ['', replaced ?? '']] }, id, stored] }
  // Over an old profile's null there is nothing to set in: the whole is merged.
  const subscription = { $mergeObjects: [{ plan: 'free' }, '$subscription', { stripeCustomerId }] }
  const createdAt = { $ifNull: ['$createdAt', now] }
  const write = () =>
    profiles.findOneAndUpdate({ userId }, [{ $set: { subscription, createdAt, updatedAt: now } }], {
      upsert: true,
      returnDocument: 'after',
    })
  const customerId = (await retryUpsert(write))?.subscription?.stripeCustomerId
  if (!customerId) throw contended()
  return customerId
}
