import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { type AccountRequest, checkPassword } from './accounts.js'
import { apiKeys, listApiKeys, PublicApiKey } from './api-keys.js'
import { mailOutbox } from './mail-outbox.js'
import { releasePhoneNumbers } from './phone-assignments.js'
import { sessions } from './sessions.js'
import { getProfile, PublicProfile, userProfiles } from './user-profiles.js'
import { type User, users } from './users.js'
import { widgetConfigs } from './widget-configs.js'

/** After this long a request that began an erasure has finished it, or never will. */
const SETTLED_MS = 10 * 60 * 1000

/** That an account was erased, and what of it; kept without anything that says whose it was. */
export const Erasure = z.object({
  /** The id of the account. */
  _id: z.instanceof(ObjectId),
  state: z.enum(['running', 'done']),
  /** How many documents were erased or detached, by collection. */
  counts: z.record(z.string(), z.number().int()).optional(),
  requestedAt: z.date(),
  completedAt: z.date().optional(),
})
export type Erasure = z.infer<typeof Erasure>

export const erasures = collection<Erasure>({
  name: 'erasures',
  schema: Erasure,
  indexes: [
    // Those that a crash interrupted.
    { name: 'state', key: { state: 1, requestedAt: 1 } },
  ],
})

export const AccountExport = z.object({
  exportedAt: z.date(),
  account: PublicProfile,
  apiKeys: z.array(PublicApiKey),
  sessions: z.array(z.object({ createdAt: z.date(), expiresAt: z.date() })),
  projects: z.array(z.string()),
})

/** Everything that is stored of a user, beside the leads and calls that have exports of their own. */
export async function exportAccount(user: User, now: Date): Promise<z.infer<typeof AccountExport>> {
  const [account, keys, live, projects] = await Promise.all([
    getProfile(user),
    listApiKeys(user._id),
    (await sessions.open()).find({ userId: user._id }).toArray(),
    (await widgetConfigs.open()).find({ ownerId: user._id }, { projection: { projectId: 1 } }).toArray(),
  ])
  return {
    exportedAt: now,
    account,
    apiKeys: keys,
    sessions: live.map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt })),
    projects: projects.map(({ projectId }) => projectId),
  }
}

export const DeleteAccountInput = z.object({ password: z.string().min(1).max(1_000) })

export const ErasureReceipt = z.object({
  receipt: z.string(),
  requestedAt: z.date(),
  completedAt: z.date(),
  counts: z.record(z.string(), z.number().int()),
})
export type ErasureReceipt = z.infer<typeof ErasureReceipt>

/**
 * Erases an account, for who knows its password. The receipt is written first: an erasure that a crash interrupts
 * is finished by maintenance.
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
  return eraseAccount(user._id, request.now, request.now)
}

/** Finishes the erasures that a crash interrupted. Returns how many. */
export async function finishErasures(now: Date): Promise<number> {
  const open = await erasures.open()
  const interrupted = open.find({
    state: 'running',
    requestedAt: { $lt: new Date(now.getTime() - SETTLED_MS) },
  })
  let finished = 0
  for await (const { _id, requestedAt } of interrupted) {
    await eraseAccount(_id, requestedAt, now)
    finished += 1
  }
  return finished
}

/** Every step may be repeated. The account goes first: from then on nobody is signed in to it. */
async function eraseAccount(userId: ObjectId, requestedAt: Date, now: Date): Promise<ErasureReceipt> {
  const account = await (await users.openGuarded()).findOneAndUpdate(
    { _id: userId },
    {
      $set: { email: `deleted:${userId}`, status: 'deleted', updatedAt: now },
      $inc: { sessionVersion: 1 },
      $unset: {
        name: '',
        phone: '',
        password: '',
        passwordHash: '',
        emailVerifiedAt: '',
        verifyEmail: '',
        resetPassword: '',
        knownNetworks: '',
        lastLoginAt: '',
      },
    },
    { returnDocument: 'before', projection: { email: 1 } },
  )
  await releasePhoneNumbers(userId, now)
  const [profiles, keys, ended, mails, projects] = await Promise.all([
    (await userProfiles.open()).deleteMany({ userId }),
    (await apiKeys.open()).deleteMany({ ownerId: userId }),
    (await sessions.open()).deleteMany({ userId }),
    (await mailOutbox.open()).deleteMany({ to: account?.email ?? '' }),
    // A deployed widget goes on capturing: its project is without an owner until an admin gives it one.
    (await widgetConfigs.open()).updateMany({ ownerId: userId }, { $unset: { ownerId: '' } }),
  ])
  const counts = {
    users: account ? 1 : 0,
    userprofiles: profiles.deletedCount,
    apikeys: keys.deletedCount,
    refreshtokens: ended.deletedCount,
    mailoutbox: mails.deletedCount,
    widgetconfigs: projects.modifiedCount,
  }
  await (await erasures.open()).updateOne(
    { _id: userId },
    { $set: { state: 'done', counts, completedAt: now } },
  )
  return { receipt: userId.toHexString(), requestedAt, completedAt: now, counts }
}
