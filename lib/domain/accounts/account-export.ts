import { z } from 'zod'
import { ExportedConversation, streamConversations } from '../calls/conversation-history.js'
import { PublicTurn, streamTurns } from '../calls/conversation-transcript.js'
import { PublicChatSession } from '../chats/chat-sessions.js'
import { streamChatSessions } from '../chats/session-list.js'
import { streamLeads } from '../leads/lead-list.js'
import { PublicLead } from '../leads/leads.js'
import { findMails, OutboxMail } from '../mail-outbox.js'
import { UsageRow, usageOf } from '../usage/usage.js'
import { RevisionList, streamRevisions } from '../widgets/widget-config-revisions.js'
import { widgetConfigs } from '../widgets/widget-configs.js'
import { getProfile, PublicProfile } from './account-profiles.js'
import { PublicApiKey, streamApiKeys } from './api-keys.js'
import { sessions } from './sessions.js'
import type { User } from './users.js'

/** What an account has one of or few; its projects by their ids. */
export const AccountExport = z.object({
  exportedAt: z.date(),
  account: PublicProfile,
  lastLoginAt: z.date().nullable(),
  sessions: z.array(z.object({ createdAt: z.date(), expiresAt: z.date() })),
  mails: z.array(OutboxMail.pick({ kind: true, state: true, requestedAt: true })),
  projects: z.array(z.string()),
  usage: z.array(UsageRow),
})

/** Everything that is stored of a user, beside what there may be much of (see `accountLists`). */
export async function exportAccount(user: User, now: Date): Promise<z.infer<typeof AccountExport>> {
  const [account, live, mails, projects, usage] = await Promise.all([
    getProfile(user, now),
    (await sessions.open()).find({ userId: user._id }).toArray(),
    findMails(user.email),
    (await widgetConfigs.open()).find({ ownerId: user._id }, { projection: { projectId: 1 } }).toArray(),
    usageOf(user._id, now),
  ])
  return {
    exportedAt: now,
    account,
    lastLoginAt: user.lastLoginAt ?? null,
    sessions: live.map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt })),
    mails: mails.map(({ kind, state, requestedAt }) => ({ kind, state, requestedAt })),
    projects: projects.map(({ projectId }) => projectId),
    usage,
  }
}

/** What an account may have more of than fits into memory: each list is read as it is sent. */
export const AccountLists = z.object({
  apiKeys: z.array(PublicApiKey),
  conversations: z.array(ExportedConversation),
  conversationTurns: z.array(PublicTurn.extend({ sessionId: z.string() })),
  widgetConfigs: z.array(RevisionList),
  leads: z.array(PublicLead),
  chatSessions: z.array(PublicChatSession),
})

/** The lists of a user, those in quarantine among the leads too. */
export function accountLists({ _id }: User): Record<keyof typeof AccountLists.shape, AsyncIterable<unknown>> {
  const scope = { ownerIds: [_id] }
  return {
    apiKeys: streamApiKeys(_id),
    conversations: streamConversations(_id),
    conversationTurns: streamTurns(_id),
    widgetConfigs: streamRevisions(_id),
    leads: streamLeads(scope, { spam: 'all' }),
    chatSessions: streamChatSessions(scope),
  }
}
