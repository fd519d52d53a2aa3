import { z } from 'zod'
import { getProfile, PublicProfile } from './account-profiles.js'
import { findMails, OutboxMail } from './mail-outbox.js'
import { sessions } from './sessions.js'
import { UsageRow, usageOf } from './usage.js'
import type { User } from './users.js'
import { widgetConfigs } from './widget-configs.js'

export const AccountExport = z.object({
  exportedAt: z.date(),
  account: PublicProfile,
  lastLoginAt: z.date().nullable(),
  sessions: z.array(z.object({ createdAt: z.date(), expiresAt: z.date() })),
  mails: z.array(OutboxMail.pick({ kind: true, state: true, requestedAt: true })),
  projects: z.array(z.string()),
  usage: z.array(UsageRow),
})

/** Everything that is stored of a user, beside keys and calls, which may be many, and the leads, which have an export. */
export async function exportAccount(user: User, now: Date): Promise<z.infer<typeof AccountExport>> {
  const [account, live, mails, projects, usage] = await Promise.all([
    getProfile(user, now),
    (await sessions.open()).find({ userId: user._id }).toArray(),
    findMails(user.email),
    (await widgetConfigs.open()).find({ ownerId: user._id }, { projection: { projectId: 1 } }).toArray(),
    usageOf(user._id),
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
