import type { Filter, ObjectId } from 'mongodb'
import { apiKeys } from '../../lib/domain/accounts/api-keys.js'
import { sessions } from '../../lib/domain/accounts/sessions.js'
import { userProfiles } from '../../lib/domain/accounts/user-profiles.js'
import { findUserByEmail, users } from '../../lib/domain/accounts/users.js'
import { conversationTurns } from '../../lib/domain/calls/conversation-turns.js'
import { conversations } from '../../lib/domain/calls/conversations.js'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import { events } from '../../lib/domain/events/events.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { forgetMails } from '../../lib/domain/mail-outbox.js'
import { releasePhoneNumbers } from '../../lib/domain/phones/phone-assignments.js'
import { type PhoneNumber, phoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import { usagePeriods } from '../../lib/domain/usage/usage-periods.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { countWritten, type Tally } from '../support/table.js'
import { businesses } from './cast.js'
import type { Demonstration } from './demonstrations.js'
import { emailOf, MARK, projectOf, providerOf } from './identities.js'
import { recountDays } from './make.js'
import { daysUntil } from './visits.js'

/**
 * Takes away what a demonstration made: its accounts with all that is theirs, its widgets, and of what their sites
 * captured that which carries its mark. Every step may be repeated. What somebody else sent to its widgets stays.
 */
export async function remove(demonstration: Demonstration, now: Date): Promise<Record<string, Tally>> {
  const { _id: seed } = demonstration
  const removed: Record<string, Tally> = {}
  const count: Count = (kind, deleted) => countWritten(removed, kind, deleted)
  for (const business of businesses) {
    const user = await findUserByEmail(emailOf(business, seed))
    if (user) await removeAccount(user._id, user.email, now, count)
  }
  const numbers = { provider: providerOf(seed), userId: { $exists: false } } as Filter<PhoneNumber>
  count('phone numbers', (await (await phoneNumbers.open()).deleteMany(numbers)).deletedCount)
  await removeCaptured(demonstration, count)
  return removed
}

type Count = (kind: string, deleted: number) => void

/** The account goes last: by its address all else of it is found again. */
async function removeAccount(userId: ObjectId, email: string, now: Date, count: Count): Promise<void> {
  count('calls', (await (await conversations.open()).deleteMany({ userId })).deletedCount)
  await (await conversationTurns.open()).deleteMany({ userId })
  await (await usagePeriods.open()).deleteMany({ userId })
  await (await apiKeys.open()).deleteMany({ ownerId: userId })
  await (await sessions.open()).deleteMany({ userId })
  await forgetMails(email)
  await releasePhoneNumbers(userId, now)
  await (await userProfiles.open()).deleteMany({ userId })
  count('accounts', (await (await users.open()).deleteMany({ _id: userId })).deletedCount)
}

async function removeCaptured(demonstration: Demonstration, count: Count): Promise<void> {
  const { _id: seed, madeAt, days } = demonstration
  const projectIds = businesses.flatMap(({ site }) => (site ? [projectOf(site, seed)] : []))
  const projectId = { $in: projectIds }
  const marked = { projectId, [`metadata.${MARK}`]: seed }
  const day = { $in: daysUntil(madeAt, days).map(start => start.toISOString().slice(0, 10)) }
  count('leads', (await (await leads.open()).deleteMany(marked)).deletedCount)
  count('chats', (await (await chatSessions.open()).deleteMany(marked)).deletedCount)
  count(
    'events',
    (await (await events.open()).deleteMany({ day, projectId, [`payload.${MARK}`]: seed })).deletedCount,
  )
  await recountDays(demonstration)
  const ofProjects = { '_id.projectId': projectId }
  const rest = await (await leads.open()).countDocuments({ projectId }, { limit: 1 })
  const others = rest || (await (await events.open()).countDocuments({ projectId }, { limit: 1 }))
  // Days that cannot be recounted any more are the demonstration's own where nobody else was there.
  await (await eventCounts.open()).deleteMany(others ? { ...ofProjects, count: 0 } : ofProjects)
  count('widgets', (await (await widgetConfigs.open()).deleteMany({ projectId })).deletedCount)
}
