import { issueOneTimeToken } from '../../lib/domain/accounts/users.js'
import { phoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import { emptyDatabase } from '../support/database.js'
import { type Party, settle } from './party.js'

/** Two accounts that have nothing to do with each other, and a number that is free. */
export interface World {
  victim: Party
  attacker: Party
  freeNumber: string
  /** Tokens of the attacker, who reads the own mails. */
  mailed: readonly string[]
}

/** Stores such a world and nothing else. */
export async function buildWorld(): Promise<World> {
  await emptyDatabase()
  const [victim, attacker] = await Promise.all([settle('victim'), settle('attacker')])
  const freeNumber = '+918000000003'
  await (await phoneNumbers.open()).insertOne({ _id: freeNumber, createdAt: new Date() })
  const now = new Date()
  const issued = [
    await issueOneTimeToken(attacker.email, 'verifyEmail', now),
    await issueOneTimeToken(attacker.email, 'resetPassword', now),
  ]
  return { victim, attacker, freeNumber, mailed: issued.flatMap(one => one?.token ?? []) }
}
