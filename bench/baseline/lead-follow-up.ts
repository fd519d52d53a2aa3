import { createHash } from 'node:crypto'
import type { Types } from 'mongoose'
import { EventCount } from './models/event-count.js'
import { Lead, type StoredLead } from './models/lead.js'
import { countHit } from './rate-counters.js'
import { unlessTaken } from './unless-taken.js'

const DAY_SECONDS = 24 * 60 * 60
const HOUR_SECONDS = 60 * 60
const DAILY_OF_PHONE = 20
const HOURLY_OF_ADDRESS = 40
/** What follows is no change of a lead that anybody made. */
const silently = { timestamps: false }

/** What is done once a lead is answered: floods are noticed, it is linked to the first of its phone, and counted. */
export async function followUpLead(lead: StoredLead, address: string): Promise<void> {
  const { _id, microsite, projectId, phone } = lead
  const floods = await floodReasons(lead, address)
  if (floods.length > 0)
    await Lead.updateOne(
      { _id, pending: true, headKey: { $exists: false } },
      {
        quarantined: true,
        $addToSet: { 'spam.reasons': { $each: floods } },
        $inc: { 'spam.score': floods.length },
      },
      silently,
    )
  if (phone) await linkToFirst(lead, phone)
  const settled = await Lead.findOneAndUpdate(
    { _id, pending: true },
    { $unset: { pending: '' } },
    { ...silently, projection: { quarantined: 1 } },
  ).lean()
  if (settled?.quarantined !== false) return
  const day = lead.createdAt.toISOString().slice(0, 10)
  const counter = { projectId, microsite, type: 'leadsCaptured', day }
  await EventCount.updateOne({ _id: counter }, { $inc: { count: 1 } }, { upsert: true })
}

async function floodReasons({ microsite, phone }: StoredLead, address: string): Promise<string[]> {
  const scale = Number(process.env.RATE_LIMIT_SCALE ?? 1)
  const [ofPhone, ofAddress] = await Promise.all([
    phone ? countHit('leads-of-phone', `${microsite}|${phone}`, DAY_SECONDS) : { count: 0 },
    countHit('leads-of-address', address, HOUR_SECONDS),
  ])
  return [
    ...(ofPhone.count > DAILY_OF_PHONE * scale ? ['many_of_phone'] : []),
    ...(ofAddress.count > HOURLY_OF_ADDRESS * scale ? ['many_of_address'] : []),
  ]
}

async function linkToFirst(
  { _id, projectId, microsite, createdAt }: StoredLead,
  phone: string,
): Promise<void> {
  const headKey = createHash('sha256')
    .update(JSON.stringify([projectId, microsite, phone]))
    .digest('base64url')
  if (await becomesHead(_id, headKey, createdAt)) return
  const head = await Lead.findOne({ headKey }, '_id').lean()
  if (!head || head._id.equals(_id)) return
  await Lead.updateOne({ _id }, { duplicateOf: head._id }, silently)
  const later = await Lead.countDocuments({ duplicateOf: head._id })
  await Lead.updateOne(
    { _id: head._id },
    { $max: { submissions: later + 1, lastSeenAt: createdAt } },
    silently,
  )
}

async function becomesHead(_id: Types.ObjectId, headKey: string, createdAt: Date): Promise<boolean> {
  const made = await unlessTaken(
    Lead.updateOne(
      { _id, quarantined: false, duplicateOf: { $exists: false } },
      { headKey, $max: { submissions: 1, lastSeenAt: createdAt } },
      silently,
    ).exec(),
  )
  return made?.matchedCount === 1
}
