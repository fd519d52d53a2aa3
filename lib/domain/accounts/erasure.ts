import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { PasswordAttempt } from '../../auth/passwords.js'
import { deleteCustomer } from '../../billing/checkout.js'
import { collection } from '../../db/collection.js'
import { eraseCallsOf } from '../calls/admitted-calls.js'
import { conversationTurns } from '../calls/conversation-turns.js'
import { forgetMails } from '../mail-outbox.js'
import { releasePhoneNumbers } from '../phones/phone-assignments.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { usagePeriods } from '../usage/usage-periods.js'
import { releaseProjects } from '../widgets/project-ownership.js'
import { type AccountRequest, checkPassword } from './accounts.js'
import { apiKeys } from './api-keys.js'
import { sessions } from './sessions.js'
import { userProfiles } from './user-profiles.js'
import { findUser, type User, users } from './users.js'

/**
 * When an erasure is gone through once more, for what requests left that were under way when it began. Longer than any
 * request takes, its own too: nobody looks after what is written later.
 */
const GONE_THROUGH_AGAIN_MS = 10 * REQUEST_LIFE_MS

/** That an account was erased, and what of it; kept without anything that says whose it was. */
export const Erasure = z.object({
  /** The id of the account. */
  _id: z.instanceof(ObjectId),
  /** `done`: answered with a receipt. `settled`: gone through once more, for what requests under way left behind. */
  state: z.enum(['running', 'done', 'settled']),
  /** Customers of the account that are still to be deleted at Stripe, and their subscriptions with them. */
  stripeCustomers: z.array(z.string()).optional(),
  /** How many documents were erased, detached or given back, by collection. */
  counts: z.record(z.string(), z.number().int()).optional(),
  requestedAt: z.date(),
  completedAt: z.date().optional(),
})
export type Erasure = z.infer<typeof Erasure>

export const erasures = collection<Erasure>({
  name: 'erasures',
  schema: Erasure,
  indexes: [
    // Those that are not settled.
    { name: 'state', key: { state: 1, requestedAt: 1 } },
  ],
})

export const DeleteAccountInput = z.object({ password: PasswordAttempt })

export const ErasureReceipt = z.object({
  receipt: z.string(),
  requestedAt: z.date(),
  completedAt: z.date(),
  counts: z.record(z.string(), z.number().int()),
})
export type ErasureReceipt = z.infer<typeof ErasureReceipt>

/**
 * Erases an account, for who knows its password. That it was asked for is written first: an erasure that a crash
 * interrupts is finished by maintenance. Stripe is told after the answer, and again until it has taken it.
 *
 * @throws {AppError} `unauthenticated` for a wrong password, `rate_limited` after too many.
 */
export async function deleteAccount(
  user: User,
  password: string,
  request: AccountRequest,
): Promise<ErasureReceipt> {
  await checkPassword(user.email, password, request)
  await (await erasures.open()).updateOne(
    { _id: user._id },
    { $setOnInsert: { state: 'running', requestedAt: request.now } },
    { upsert: true },
  )
  const erased = await eraseAccount(user._id, request.now)
  if (erased.stripeCustomers?.length) request.background(deleteCustomers(erased))
  return receiptOf(erased)
}

/**
 * Goes once more through the erasures of some time ago: what a crash interrupted is finished, and what requests
 * wrote that were under way when an erasure was done is erased too, which settles it: one that was finished just now
 * waits for the next run. Returns how many were interrupted, and how many are settled.
 *
 * @param shouldStop whether to end before the next one.
 * @throws what kept the last one that is not settled from it, once all the others are.
 */
export async function finishErasures(
  now: Date,
  shouldStop: () => boolean = () => false,
): Promise<{ interrupted: number; settled: number }> {
  const open = await erasures.open()
  const before = new Date(now.getTime() - GONE_THROUGH_AGAIN_MS)
  const unsettled = open.find({ state: { $in: ['running', 'done'] }, requestedAt: { $lt: before } })
  const finished = { interrupted: 0, settled: 0 }
  let failure: unknown
  for await (const { _id, state, requestedAt, completedAt = requestedAt } of unsettled) {
    if (shouldStop()) break
    const erased = await eraseAccount(_id, now)
    if (state === 'running') finished.interrupted += 1
    try {
      await deleteCustomers(erased)
    } catch (error) {
      failure = error
      continue
    }
    if (state === 'running' || completedAt >= before) continue
    const { modifiedCount } = await open.updateOne(
      { _id, 'stripeCustomers.0': { $exists: false } },
      { $set: { state: 'settled' }, $unset: { stripeCustomers: '' } },
    )
    finished.settled += modifiedCount
  }
  if (failure !== undefined) throw failure
  return finished
}

/**
 * Deletes customers at Stripe, which ends their subscriptions at once.
 *
 * @throws {AppError} `unavailable` while Stripe is away, `not_configured` without a key.
 */
async function deleteCustomers({ _id, stripeCustomers = [] }: Erasure): Promise<void> {
  for (const id of stripeCustomers) {
    await deleteCustomer(id)
    await (await erasures.open()).updateOne({ _id }, { $pull: { stripeCustomers: id } })
  }
}

/**
 * Every step may be repeated. The mails go first, since the account says their address; then the account, so that
 * nobody is signed in to it any more.
 */
async function eraseAccount(userId: ObjectId, now: Date): Promise<Erasure> {
  const account = await findUser(userId.toHexString())
  const mails = account ? await forgetMails(account.email) : 0
  const emptied = await emptyAccount(userId, now)
  const numbers = await releasePhoneNumbers(userId, now)
  // Their turns after the calls: a post that finds no call adds no turn to it.
  const calls = await eraseCallsOf(userId, now)
  const [turns, profile, keys, ended, usage, projects] = await Promise.all([
    (await conversationTurns.open()).deleteMany({ userId }),
    eraseProfile(userId),
    (await apiKeys.open()).deleteMany({ ownerId: userId }),
    (await sessions.open()).deleteMany({ userId }),
    (await usagePeriods.open()).deleteMany({ userId }),
    // A deployed widget goes on capturing: its project is without an owner until an admin gives it one.
    releaseProjects(userId, now),
  ])
  const counts = {
    users: emptied,
    userprofiles: profile,
    apikeys: keys.deletedCount,
    refreshtokens: ended.deletedCount,
    usageperiods: usage.deletedCount,
    mailoutbox: mails,
    phonenumbers: numbers,
    conversations: calls,
    conversationturns: turns.deletedCount,
    widgetconfigs: projects,
  }
  const added = Object.entries(counts).map(([name, count]) => [`counts.${name}`, count])
  const erasure = await (await erasures.open()).findOneAndUpdate(
    { _id: userId },
    { $set: { state: 'done' }, $inc: Object.fromEntries(added), $min: { completedAt: now } },
    { returnDocument: 'after' },
  )
  return erasure ?? { _id: userId, state: 'done', counts, requestedAt: now }
}

function receiptOf({ _id, requestedAt, completedAt = requestedAt, counts = {} }: Erasure): ErasureReceipt {
  return { receipt: _id.toHexString(), requestedAt, completedAt, counts }
}

/**
 * Deletes the profile, once the erasure remembers whom Stripe is to forget: nothing else says so. A checkout may make
 * the user a customer meanwhile: the profile goes only as it was read. Returns how many were deleted.
 */
async function eraseProfile(userId: ObjectId): Promise<number> {
  const profiles = await userProfiles.open()
  for (;;) {
    const profile = await profiles.findOne({ userId })
    if (!profile) return 0
    const id = profile.subscription?.stripeCustomerId
    if (id) await (await erasures.open()).updateOne({ _id: userId }, { $addToSet: { stripeCustomers: id } })
    const asRead = id === undefined ? { $exists: false } : id
    const { deletedCount } = await profiles.deleteOne({ userId, 'subscription.stripeCustomerId': asRead })
    if (deletedCount > 0) return deletedCount
  }
}

/** Keeps of an account only that there was one, whatever the old system stored in it. Returns how many were. */
async function emptyAccount(userId: ObjectId, now: Date): Promise<number> {
  const emptied = {
    _id: '$_id',
    email: `deleted:${userId}`,
    status: 'deleted',
    sessionVersion: { $add: [{ $ifNull: ['$sessionVersion', 0] }, 1] },
    createdAt: '$createdAt',
    updatedAt: now,
  }
  const { modifiedCount } = await (await users.openGuarded()).updateOne(
    { _id: userId, status: { $ne: 'deleted' } },
    [{ $replaceWith: emptied }],
  )
  return modifiedCount
}
