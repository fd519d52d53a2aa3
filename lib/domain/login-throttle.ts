import { createHash } from 'node:crypto'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { isDuplicateKey } from '../db/errors.js'
import { AppError } from '../errors.js'

/**
 * How wrong passwords are slowed down. For one address on one account the first five tries are free; each
 * further one has to wait twice as long as the one before, up to five minutes. For one account from everywhere
 * a hundred failures an hour are free; beyond that only networks that its owner has logged in from get to try.
 * An attacker thus slows down himself, and never the owner: neither of the two locks an account.
 */
const FREE_FAILURES = 5
const MAX_DELAY_SECONDS = 300
const FREE_ACCOUNT_FAILURES = 100
const MEMORY_MS = 60 * 60 * 1000

/** Failed logins of one address on one account, or of one account from everywhere. */
export const LoginFailures = z.object({
  /** Hash of what is counted: neither addresses nor e-mails are kept. */
  _id: z.string(),
  failures: z.number().int().positive(),
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
 * Admits one try at a password, and counts it as failed until `forgetFailures` says otherwise: however many
 * arrive at once, each is counted before its password is looked at.
 *
 * @throws {AppError} `rate_limited` with the seconds to wait.
 */
export async function admitLoginAttempt(attempt: LoginAttempt, now: Date): Promise<void> {
  await count(pairKey(attempt), now, failures =>
    failures <= FREE_FAILURES ? 0 : Math.min(2 ** (failures - FREE_FAILURES), MAX_DELAY_SECONDS),
  )
  if (!attempt.networkIsKnown)
    await count(accountKey(attempt), now, failures =>
      failures <= FREE_ACCOUNT_FAILURES ? 0 : MAX_DELAY_SECONDS,
    )
}

/** The password was right: the tries of this address were its owner's own mistakes. */
export async function forgetFailures(attempt: LoginAttempt): Promise<void> {
  await (await loginFailures.open()).deleteOne({ _id: pairKey(attempt) })
}

async function count(_id: string, now: Date, delaySeconds: (failures: number) => number): Promise<void> {
  const open = await loginFailures.open()
  for (;;) {
    const before = await open.findOne({ _id, expiresAt: { $gt: now } })
    if (before && before.nextTryAt > now) throw tooSoon(before.nextTryAt, now)
    const failures = (before?.failures ?? 0) + 1
    const after = {
      failures,
      nextTryAt: new Date(now.getTime() + delaySeconds(failures) * 1000),
      expiresAt: new Date(now.getTime() + MEMORY_MS),
    }
    // Written only over what was read: of several tries at once one counts, and the others look again.
    const unmoved = before ? { _id, failures: before.failures } : { _id, expiresAt: { $lte: now } }
    const counted = await open
      .updateOne(unmoved, { $set: after }, { upsert: before === null })
      .then(result => result.matchedCount + result.upsertedCount === 1)
      .catch(error => {
        if (isDuplicateKey(error)) return false
        throw error
      })
    if (counted) return
  }
}

function tooSoon(nextTryAt: Date, now: Date): AppError {
  const retryAfterSeconds = Math.max(1, Math.ceil((nextTryAt.getTime() - now.getTime()) / 1000))
  return new AppError('rate_limited', 'Too many failed logins: try again later.', { retryAfterSeconds })
}

function pairKey({ email, network }: LoginAttempt): string {
  return key('pair', email, network)
}

function accountKey({ email }: LoginAttempt): string {
  return key('account', email)
}

function key(...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
