import type { Filter } from 'mongodb'
import { z } from 'zod'
import { AppError } from '../../errors.js'
import { type DataScope, scopeFilter } from '../data-scope.js'
import { readId } from '../ids.js'
import { fitToAnswer } from '../list-size.js'
import { followUpLead } from './lead-follow-up.js'
import { type HistoryEntry, type Lead, LeadStatus, leads, PublicLead, toPublicLead } from './leads.js'

const MAX_HISTORY = 200

/** What an operator makes of a lead. A note that is blank or null is none. */
export const LeadUpdate = z
  .object({
    status: LeadStatus,
    note: z
      .string()
      .trim()
      .max(4_000)
      .nullable()
      .transform(note => note || undefined),
    /** `released`: it is none, and counts from now on; `confirmed`: it stays in quarantine. */
    spam: z.enum(['released', 'confirmed']),
  })
  .partial()
  .refine(update => Object.values(update).some(value => value !== undefined), 'must change something')
export type LeadUpdate = z.infer<typeof LeadUpdate>

export const LeadAnswer = z.object({ lead: PublicLead })

/**
 * A lead that the caller may see.
 *
 * @throws {AppError} `not_found` for every other one.
 */
export async function getLead(scope: DataScope, id: string): Promise<PublicLead> {
  const lead = await (await leads.open()).findOne(visible(scope, id))
  if (!lead) throw new AppError('not_found')
  return fitToAnswer(toPublicLead(lead))
}

/**
 * Changes what a caller may see of a lead, and remembers who did it and when. A release that is sent again is
 * finished where the first time failed, and not remembered twice.
 *
 * @throws {AppError} `not_found` for a lead that the caller may not see, `conflict` for a verdict on one that is
 *   not in quarantine.
 */
export async function updateLead(
  scope: DataScope,
  id: string,
  update: LeadUpdate,
  by: string,
  now: Date,
): Promise<PublicLead> {
  const { status, note, spam } = update
  const entry: HistoryEntry = {
    at: now,
    by,
    ...(status && { status }),
    ...(note && { note }),
    ...(spam && { spam }),
  }
  const all = await leads.open()
  const updated = await all.findOneAndUpdate(
    { ...visible(scope, id), ...(spam && { quarantined: true }) },
    {
      $set: {
        ...(status && { status }),
        // From now on it is a lead like any other, still to be linked and counted.
        ...(spam === 'released' && { quarantined: false, pending: true }),
        ...(spam === 'confirmed' && { 'spam.confirmedAt': now }),
        updatedAt: now,
      },
      ...(spam === 'released' && { $unset: { spam: '' } }),
      $push: { history: { $each: [entry], $slice: -MAX_HISTORY } },
    },
    { returnDocument: 'after' },
  )
  const lead = updated ?? (spam && (await all.findOne(visible(scope, id))))
  if (!lead) throw new AppError('not_found')
  if (!updated && !isReleasedBy(entry, lead))
    throw new AppError('conflict', 'This lead is not in quarantine.')
  if (spam !== 'released') return fitToAnswer(toPublicLead(lead))
  if (lead.pending) await followUpLead(lead, now)
  return getLead(scope, id)
}

/** Whether it was this very update that let a lead out of quarantine: its client may not have been told. */
function isReleasedBy({ by, status, note, spam }: HistoryEntry, { history }: Lead): boolean {
  const verdict = history?.findLast(entry => entry.spam !== undefined)
  return (
    spam === 'released' &&
    verdict?.spam === spam &&
    verdict.by === by &&
    verdict.status === status &&
    verdict.note === note
  )
}

function visible(scope: DataScope, id: string): Filter<Lead> {
  const _id = readId(id)
  if (!_id) throw new AppError('not_found')
  return { ...scopeFilter<Lead>(scope), _id }
}
