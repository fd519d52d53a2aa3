import { isDuplicateKey } from '../../lib/db/errors.js'
import { headKeyOf, linkToHead } from '../../lib/domain/leads/lead-follow-up.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'

/**
 * Links what was captured since a migration and followed one of its leads: the first of a person becomes the head.
 * From then on no capture follows the leads of the migration. Returns how many leads there were.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function linkSurvivors(migration: number): Promise<number> {
  const all = await leads.openGuarded()
  await all.updateMany({ migration, headKey: { $exists: true } }, { $unset: { headKey: '' } })
  // Oldest first, and what is in quarantine last: it never heads others.
  const followers = all
    .find({ duplicateOf: { $exists: true }, migration: { $ne: migration } })
    .sort({ quarantined: 1, createdAt: 1, _id: 1 })
  let linked = 0
  for await (const lead of followers) {
    const { duplicateOf, phone } = lead
    if (!duplicateOf || phone === undefined) continue
    if (!(await all.findOne({ _id: duplicateOf, migration }, { projection: { _id: 1 } }))) continue
    if (!(await succeeds(lead, phone))) await follow(lead, phone)
    linked += 1
  }
  return linked
}

/** Makes a lead the head in one write, so that a crash leaves it linked to one or the other. */
async function succeeds(lead: Lead, phone: string): Promise<boolean> {
  const { _id, createdAt, duplicateOf } = lead
  const all = await leads.openGuarded()
  try {
    const { matchedCount } = await all.updateOne(
      { _id, quarantined: false, ...(duplicateOf && { duplicateOf }) },
      {
        $set: { headKey: headKeyOf(lead, phone), submissions: 1, lastSeenAt: createdAt },
        $unset: { duplicateOf: '' },
      },
    )
    return matchedCount === 1
  } catch (error) {
    if (isDuplicateKey(error)) return false
    throw error
  }
}

async function follow(lead: Lead, phone: string): Promise<void> {
  const all = await leads.openGuarded()
  await linkToHead(lead, phone)
  // Nobody heads it: all of that phone are in quarantine.
  const { duplicateOf } = lead
  if (duplicateOf) await all.updateOne({ _id: lead._id, duplicateOf }, { $unset: { duplicateOf: '' } })
}
