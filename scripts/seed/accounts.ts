import type { ObjectId } from 'mongodb'
import { hashPassword } from '../../lib/auth/passwords.js'
import { changeProfile, userProfiles } from '../../lib/domain/accounts/user-profiles.js'
import {
  consumeOneTimeToken,
  createUser,
  findUserByEmail,
  issueOneTimeToken,
  type User,
} from '../../lib/domain/accounts/users.js'
import { saveConversation } from '../../lib/domain/calls/conversation-ingest.js'
import { ConversationInput } from '../../lib/domain/calls/conversation-input.js'
import { forgetMails } from '../../lib/domain/mail-outbox.js'
import { assignPhoneNumber } from '../../lib/domain/phones/phone-assignments.js'
import { addPhoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import type { Call } from './calls.js'
import { type Business, businesses, DEMO_PASSWORD } from './cast.js'
import { emailOf, numbersOf, providerOf } from './identities.js'

/** The accounts of a demonstration with their plans and numbers, by plan. Those that are there stay as they are. */
export async function makeAccounts(seed: number, since: Date): Promise<Map<Business, User>> {
  const numbers = numbersOf(seed, businesses.length + 2)
  await addPhoneNumbers(
    numbers.map(phoneNumber => ({ phoneNumber, provider: providerOf(seed) })),
    since,
  )
  const passwordHash = await hashPassword(DEMO_PASSWORD)
  const accounts = new Map<Business, User>()
  for (const [i, business] of businesses.entries()) {
    const email = emailOf(business, seed)
    const user =
      (await findUserByEmail(email)) ??
      (await createUser({ email, passwordHash, name: business.name }, since))
    await verify(user, since)
    await subscribe(user._id, business, since)
    await assignPhoneNumber(user._id, numbers[i], since)
    accounts.set(business, user)
  }
  return accounts
}

async function verify({ email, emailVerifiedAt }: User, now: Date): Promise<void> {
  if (emailVerifiedAt) return
  const issued = await issueOneTimeToken(email, 'verifyEmail', now)
  if (issued) await consumeOneTimeToken('verifyEmail', issued.token, {}, now)
}

/** As an operator gives a plan: without Stripe it runs by the calendar month. */
async function subscribe(userId: ObjectId, business: Business, now: Date): Promise<void> {
  const { plan, company, industry, greeting } = business
  await changeProfile(userId, { businessInfo: { company, industry, greeting } }, now)
  if (plan === 'free') return
  const profiles = await userProfiles.openGuarded()
  await profiles.updateOne({ userId }, { $set: { subscription: { plan, status: 'active' } } })
}

/** Saves a call as the voice agent posts it, each post at its time. */
export async function makeCall(userId: ObjectId, call: Call): Promise<void> {
  for (const { at, input } of call.posts) {
    const parsed = ConversationInput.parse({ ...input, userId: userId.toHexString() })
    await saveConversation(parsed, { ownerIds: [userId] }, at)
  }
}

/** Nobody reads the mails that seeding made due, at addresses that do not exist. */
export async function forgetDueMails(accounts: ReadonlyMap<Business, User>): Promise<void> {
  for (const { email } of accounts.values()) await forgetMails(email)
}
