import type { Collection, Filter, WithId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../db/collection.js'
import { retryUpsert } from '../db/upsert.js'
import { AppError } from '../errors.js'
import { type Message, sendMail } from '../mail/mail.js'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './durations.js'

export const MailKind = z.enum([
  'verify-email',
  'reset-password',
  'address-taken',
  'password-changed',
  'usage-warning',
  'usage-limit',
])
export type MailKind = z.infer<typeof MailKind>

/**
 * That somebody is to get a mail, and what became of it. Neither its text nor a token: both are made when it is
 * sent, so that whoever reads the outbox cannot open an account with it.
 */
export const OutboxMail = z.object({
  /** Kind and recipient: of each pair at most one mail is pending, and the last one is remembered. */
  _id: z.string(),
  kind: MailKind,
  to: z.string(),
  /** What a mail is about that is sent once for each such thing. */
  about: z.string().optional(),
  state: z.enum(['due', 'sending', 'sent', 'dropped', 'failed']),
  /** When to send it; while it is being sent, when its sender counts as lost. */
  dueAt: z.date(),
  attempts: z.number().int().nonnegative(),
  /** The kind of the last failure: what servers say quotes addresses. */
  lastError: z.string().optional(),
  createdAt: z.date(),
  /** Moves with every request for this mail, so that each of them is a write. */
  requestedAt: z.date(),
  expiresAt: z.date(),
})
export type OutboxMail = z.infer<typeof OutboxMail>

export const mailOutbox = collection<OutboxMail>({
  name: 'mailoutbox',
  schema: OutboxMail,
  indexes: [
    // What is due, longest due first.
    { name: 'state_due', key: { state: 1, dueAt: 1 } },
    { name: 'expiresAt', key: { expiresAt: 1 }, expireAfterSeconds: 0 },
  ],
})

const KEPT_MS = 7 * DAY_MS

/**
 * Asks for a mail, to be sent by the next sweep. Of a kind, an address has one at most that is pending: asked for
 * again, one that waits (for a retry, perhaps) is due at once, and one that is being sent is left alone. This is
 * one write whatever is stored, for addresses with an account and without: its time tells nobody which.
 *
 * @param to the address as accounts are found by it (lower case).
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function enqueueMail(kind: MailKind, to: string, now: Date): Promise<void> {
  const outbox = await mailOutbox.open()
  const asItIs = { $mergeObjects: ['$$ROOT', { requestedAt: now }] }
  const update = [{ $replaceWith: { $cond: [isBeingSent, asItIs, { $literal: newMail(kind, to, now) }] } }]
  await retryUpsert(() => outbox.updateOne({ _id: idOf(kind, to) }, update, { upsert: true }))
}

/**
 * Asks for a mail about something, which is sent once however often it is asked for; one that was dropped is due again.
 * False where another mail of its kind is being sent to the address just now: then it has to be asked for again.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function enqueueOnce(kind: MailKind, to: string, about: string, now: Date): Promise<boolean> {
  const outbox = await mailOutbox.open()
  const mail: OutboxMail = { ...newMail(kind, to, now), about }
  const isAboutIt = { $eq: ['$about', { $literal: about }] }
  const isKnown = { $or: [isBeingSent, { $and: [isAboutIt, { $ne: ['$state', 'dropped'] }] }] }
  const update = [{ $replaceWith: { $cond: [isKnown, '$$ROOT', { $literal: mail }] } }]
  const write = () =>
    outbox.findOneAndUpdate({ _id: mail._id }, update, { upsert: true, returnDocument: 'after' })
  return (await retryUpsert(write))?.about === about
}

const isBeingSent = { $eq: ['$state', 'sending'] }

/** To be written as a literal: in a pipeline an address that starts with a dollar would be read as a field's name. */
function newMail(kind: MailKind, to: string, now: Date): OutboxMail {
  return {
    _id: idOf(kind, to),
    kind,
    to,
    state: 'due',
    dueAt: now,
    attempts: 0,
    createdAt: now,
    requestedAt: now,
    expiresAt: new Date(now.getTime() + KEPT_MS),
  }
}

/** The mails to an address: those that wait, and what became of the last ones. */
export async function findMails(to: string): Promise<OutboxMail[]> {
  return (await mailOutbox.open()).find(allTo(to)).sort({ _id: 1 }).toArray()
}

/** Forgets every mail to an address; one that waits is not sent. Returns how many. */
export async function forgetMails(to: string): Promise<number> {
  return (await (await mailOutbox.open()).deleteMany(allTo(to))).deletedCount
}

function allTo(to: string): Filter<OutboxMail> {
  return { _id: { $in: MailKind.options.map(kind => idOf(kind, to)) } }
}

function idOf(kind: MailKind, to: string): string {
  return `${kind}:${to}`
}

/** Writes a mail at the moment it is sent, with a fresh token; undefined where nobody is to get it. */
export type ComposeMail = (
  kind: MailKind,
  to: string,
  now: Date,
  about?: string,
) => Promise<Message | undefined>

/** What became of the mails that a sweep took. */
export interface MailSweep {
  sent: number
  dropped: number
  /** Could not be sent and will be tried again. */
  postponed: number
  /** Given up for good. */
  failed: number
  /** Still due when the sweep had done its share; counted up to 1,000. */
  left: number
}

/** How long a sweep goes on taking mails: with the last one's send it fits the 30 seconds that a function has. */
const SWEEP_MS = 10_000

/** How long a sender may take before it counts as lost: several times what a send is limited to. */
const LEASE_MS = 2 * MINUTE_MS

const COUNTED_EXACTLY = 1_000

/**
 * Sends the mails that are due, one by one. Any number of sweeps may run at once: each mail is one sweep's, and
 * one whose sweep is lost (a crash, a frozen function) is sent by a later one, so that a mail may arrive twice
 * but not never. A failure is tried again with growing delays, and given up after six attempts.
 *
 * @param limit how many mails it takes at most.
 * @param shouldStop whether to end before the next one.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function sweepMail(
  compose: ComposeMail,
  now: Date,
  limit = 20,
  shouldStop: () => boolean = () => false,
): Promise<MailSweep> {
  const outbox = await mailOutbox.open()
  const startedAt = Date.now()
  const elapsedMs = () => Date.now() - startedAt
  const clock = () => new Date(now.getTime() + elapsedMs())

  const swept: MailSweep = { sent: 0, dropped: 0, postponed: 0, failed: 0, left: 0 }
  for (let taken = 0; taken < limit && elapsedMs() < SWEEP_MS && !shouldStop(); taken++) {
    const mail = await claim(outbox, clock())
    if (!mail) return swept
    const outcome = await deliver(mail, compose, clock)
    swept[outcome.state === 'due' ? 'postponed' : outcome.state] += 1
    // Only while it is still ours: after its lease it is another sweep's to say.
    await outbox.updateOne({ _id: mail._id, state: 'sending', dueAt: mail.dueAt }, { $set: outcome })
  }
  swept.left = await outbox.countDocuments(dueBy(clock()), { limit: COUNTED_EXACTLY })
  return swept
}

function dueBy(now: Date): Filter<OutboxMail> {
  return { state: { $in: ['due', 'sending'] }, dueAt: { $lte: now } }
}

/** Takes the mail that is longest due, for as long as a lease. */
function claim(outbox: Collection<OutboxMail>, now: Date): Promise<WithId<OutboxMail> | null> {
  return outbox.findOneAndUpdate(
    dueBy(now),
    { $set: { state: 'sending', dueAt: new Date(now.getTime() + LEASE_MS) }, $inc: { attempts: 1 } },
    { sort: { dueAt: 1 }, returnDocument: 'after' },
  )
}

/** After the first failure, the second, and so on; after the last of them a mail is given up. */
const RETRY_DELAYS_MS = [MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 12 * HOUR_MS]

type Outcome =
  | { state: 'sent' | 'dropped' }
  | { state: 'failed'; lastError: string }
  | { state: 'due'; dueAt: Date; lastError: string }

async function deliver(mail: OutboxMail, compose: ComposeMail, clock: () => Date): Promise<Outcome> {
  // A mail whose every sender was lost is what loses them.
  if (mail.attempts > RETRY_DELAYS_MS.length + 1) return { state: 'failed', lastError: 'sender_lost' }
  try {
    const message = await compose(mail.kind, mail.to, clock(), mail.about)
    if (!message) return { state: 'dropped' }
    await sendMail(message)
    return { state: 'sent' }
  } catch (error) {
    const lastError = kindOf(error)
    const delayMs = RETRY_DELAYS_MS[mail.attempts - 1]
    if (delayMs === undefined) return { state: 'failed', lastError }
    return { state: 'due', dueAt: new Date(clock().getTime() + delayMs), lastError }
  }
}

/** What an error calls itself, without what it quotes: `EENVELOPE 550`, `not_configured`. */
function kindOf(error: unknown): string {
  if (error instanceof AppError) return error.code
  if (!(error instanceof Error)) return 'unknown'
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown }
  const kind = typeof code === 'string' ? code : error.name
  return typeof responseCode === 'number' ? `${kind} ${responseCode}` : kind
}
