import type { Document } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { unlessTaken } from '../../db/upsert.js'
import { AppError } from '../../errors.js'
import { digestOf } from '../digest.js'
import { HOUR_MS } from '../durations.js'

/** How many failures are free, and how long each further one makes the next try wait; the last one goes on. */
interface Patience {
  free: number
  delaysSeconds: readonly number[]
}

/**
 * How wrong passwords are slowed down, per hour. Network and account: 5 failures free, then delays from 2 s to 5 min.
 * Account over all networks unknown to its owner: 100 free, then one try per 5 min. Neither locks an account: its owner
 * logs in from a known network, or from a new one by the account's mail.
 */
const PER_ADDRESS: Patience = { free: 5, delaysSeconds: [2, 4, 8, 16, 32, 64, 128, 256, 300] }
const PER_ACCOUNT: Patience = { free: 100, delaysSeconds: [300] }

/** For how long failures are counted together. */
const WINDOW_MS = HOUR_MS

/** Failed logins of one address on one account, or of one account from everywhere, in an hour from the first on. */
export const LoginFailures = z.object({
  /** Hash of what is counted: neither addresses nor e-mails are kept. */
  _id: z.string(),
  failures: z.number().int().nonnegative(),
  nextTryAt: z.date(),
  expiresAt: z.date(),
})
export type LoginFailures = z.infer<typeof LoginFailures>

export const loginFailures = collection<LoginFailures>({
  name: 'loginfailures',
  schema: LoginFailures,
  indexes: [{ name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 }],
})

/** Who tries: the network as limits count it, and whether the account's owner has logged in from it before. */
export interface LoginAttempt {
  email: string
  network: string
  networkIsKnown: boolean
}

/**
 * Admits one try at a password, and counts it as failed until `countAsSuccess` says otherwise: however many
 * arrive at once, each is counted before its password is looked at.
 *
 * @throws {AppError} `rate_limited` with the seconds to wait.
 */
export async function admitLoginAttempt(attempt: LoginAttempt, now: Date): Promise<void> {
  const { email, network, networkIsKnown } = attempt
  await count(pairKey(email, network), PER_ADDRESS, now)
  if (!networkIsKnown) await count(accountKey(email), PER_ACCOUNT, now)
}

/** An admitted try had the right password: it is taken back where it was counted, whoever else has failed meanwhile. */
export async function countAsSuccess({ email, network, networkIsKnown }: LoginAttempt): Promise<void> {
  await Promise.all([forgetFailures(email, network), !networkIsKnown && takeBack(accountKey(email))])
}

/** It was the owner who tried: the failures of this network were the owner's own mistakes. */
export async function forgetFailures(email: string, network: string): Promise<void> {
  await (await loginFailures.open()).deleteOne({ _id: pairKey(email, network) })
}

/**
 * Counts a try in one write, whatever comes at the same time. While there is a wait the write finds no document, and
 * the insert that it would be instead is refused for the one that is there.
 */
async function count(_id: string, patience: Patience, now: Date): Promise<void> {
  const open = await loginFailures.open()
  const { free } = patience
  // Not by the time alone: clocks differ, and a free try waits for no clock.
  const mayTry = [{ failures: { $lte: free } }, { nextTryAt: { $lte: now } }, { expiresAt: { $lte: now } }]
  const countTry = () => open.updateOne({ _id, $or: mayTry }, failedOnceMore(patience, now), { upsert: true })
  for (;;) {
    if (await unlessTaken(countTry)) return
    const counted = await open.findOne({ _id, failures: { $gt: free }, expiresAt: { $gt: now } })
    if (counted && counted.nextTryAt > now) throw tooSoon(counted.nextTryAt, now)
    // Made at the same moment by another try, or over since: counted after it.
  }
}

/** In the hour that the counter is of, or as the first of another one: what is over may still be there. */
function failedOnceMore({ free, delaysSeconds }: Patience, now: Date): Document[] {
  const isRunning = { $gt: ['$expiresAt', now] }
  const beyondFree = { $min: [{ $subtract: ['$failures', free + 1] }, delaysSeconds.length - 1] }
  const delayMs = { $multiply: [1000, { $arrayElemAt: [delaysSeconds, beyondFree] }] }
  return [
    {
      $set: {
        failures: { $cond: [isRunning, { $add: ['$failures', 1] }, 1] },
        expiresAt: { $cond: [isRunning, '$expiresAt', new Date(now.getTime() + WINDOW_MS)] },
      },
    },
    { $set: { nextTryAt: { $cond: [{ $lte: ['$failures', free] }, now, { $add: [now, delayMs] }] } } },
  ]
}

async function takeBack(_id: string): Promise<void> {
  await (await loginFailures.open()).updateOne({ _id, failures: { $gt: 0 } }, { $inc: { failures: -1 } })
}

function tooSoon(nextTryAt: Date, now: Date): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil((nextTryAt.getTime() - now.getTime()) / 1000))
  return new AppError('rate_limited', 'Too many failed logins: try again later.', { retryAfterSeconds })
}

function pairKey(email: string, network: string): string {
  return key('pair', email, network)
}

function accountKey(email: string): string {
  return key('account', email)
}

function key(...parts: string[]): string {
  return digestOf(parts).toString('base64url')
}
