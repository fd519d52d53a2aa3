import { setTimeout as sleep } from 'node:timers/promises'
import { MongoError, type ObjectId } from 'mongodb'
import { unavailable } from '../../db/errors.js'
import { unlessTaken } from '../../db/upsert.js'
import { env } from '../../env.js'
import { digestOf } from '../digest.js'
import { DAY_SECONDS, HOUR_SECONDS } from '../durations.js'
import { countEach } from '../events/event-counts.js'
import { noteLateCount } from '../events/recount-days.js'
import { countHit } from '../rate-counters.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { BATCH, workOff } from '../work-off.js'
import { counterOfLead, type Lead, leads } from './leads.js'

/** More leads than this of one phone on a microsite in a day, or from one network in an hour, are a flood. */
const DAILY_OF_PHONE = 20
const HOURLY_OF_ADDRESS = 40

/** After which pauses a new lead is followed up again where the database failed, in milliseconds. */
const PAUSES_MS = [250, 2_500]

/**
 * Follows up a lead that was just answered, and again where the database failed: in an election, with a full pool or in
 * a deadlock. Otherwise its count would wait for the maintenance, perhaps for a day.
 *
 * @param network where a new lead came from, as limits count it; undefined for one that was there before, which is no
 *   further sign of a flood.
 * @throws {AppError} `unavailable` while the database is away, which the lead's `pending` tells the maintenance.
 */
export async function followUpSoon(lead: Lead, network: string | undefined, now: Date): Promise<void> {
  let floods: readonly string[] | undefined
  for (const pauseMs of [...PAUSES_MS, undefined]) {
    try {
      floods ??= network === undefined ? [] : await floodReasons(lead, network, now)
      return await followUpLead(lead, now, floods)
    } catch (error) {
      if (!(error instanceof MongoError) || pauseMs === undefined) throw error
      await sleep(pauseMs)
    }
  }
}

/**
 * What is left to do once a lead is stored and answered: quarantine it where it is part of a flood, link it to the
 * first one of its phone, count it. The lead carries `pending` until it is to be counted, so that a crash leaves
 * nothing undone but the count, which is mended when its day is recounted; every step may be repeated, and of any
 * number that follow up one lead exactly one counts it.
 *
 * @param floods the floods that it is part of.
 * @throws {AppError} `unavailable` where all but the count is done.
 */
export async function followUpLead(lead: Lead, now: Date, floods: readonly string[] = []): Promise<void> {
  if (floods.length > 0) await quarantine(lead._id, floods)
  if (lead.phone !== undefined) await linkToHead(lead, lead.phone)
  await noteLateCount(lead.createdAt, now)
  const all = await leads.open()
  const settled = await all.findOneAndUpdate(
    { _id: lead._id, pending: true },
    { $unset: { pending: '' } },
    { projection: { quarantined: 1 } },
  )
  // As it was when it was settled, not when it was read: it may have been let out of quarantine since.
  if (settled?.quarantined !== false) return
  await countEach([counterOfLead(lead)]).catch(error => {
    // Not to be repeated: nobody can tell whether it was counted. The recount of its day can.
    throw error instanceof MongoError ? unavailable(error) : error
  })
}

/**
 * Follows up what crashes left, 500 leads at a time. Returns how many.
 *
 * @param shouldStop whether to end before the next one.
 */
export async function followUpPending(now: Date, shouldStop: () => boolean = () => false): Promise<number> {
  return workOff(
    () => pendingLeads(now),
    lead => followUpLead(lead, now),
    shouldStop,
  )
}

async function pendingLeads(now: Date): Promise<Lead[]> {
  return (await leads.open())
    .find({ pending: true, createdAt: { $lt: new Date(now.getTime() - REQUEST_LIFE_MS) } })
    .sort({ createdAt: 1 })
    .limit(BATCH)
    .toArray()
}

/**
 * Links a lead to the first one of its phone on its microsite, or makes it that one: the unique index on `headKey`
 * decides between two at once. A quarantined lead never heads others.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function linkToHead(lead: Lead, phone: string): Promise<void> {
  const all = await leads.openGuarded()
  const headKey = headKeyOf(lead, phone)
  if (await becomesHead(lead, headKey)) return
  const head = await all.findOne({ headKey }, { projection: { _id: 1 } })
  if (!head || head._id.equals(lead._id)) return
  await all.updateOne({ _id: lead._id }, { $set: { duplicateOf: head._id } })
  // Counted, not incremented, and never down: right whoever repeats it, and whoever comes last sees all.
  const later = await all.countDocuments({ duplicateOf: head._id })
  await all.updateOne({ _id: head._id }, { $max: { submissions: later + 1, lastSeenAt: lead.createdAt } })
}

/**
 * The key that only the first lead of a phone on a microsite has, in each project: else somebody who names the
 * microsite of others could learn of their visitors from what a lead is linked to.
 */
export function headKeyOf(
  { projectId, microsite }: Pick<Lead, 'projectId' | 'microsite'>,
  phone: string,
): string {
  return digestOf([projectId, microsite, phone]).toString('base64url')
}

async function becomesHead({ _id, createdAt }: Lead, headKey: string): Promise<boolean> {
  const all = await leads.openGuarded()
  const made = await unlessTaken(() =>
    all.updateOne(
      { _id, quarantined: false, duplicateOf: { $exists: false } },
      { $set: { headKey }, $max: { submissions: 1, lastSeenAt: createdAt } },
    ),
  )
  return made?.matchedCount === 1
}

async function floodReasons(lead: Lead, network: string, now: Date): Promise<string[]> {
  const { microsite, phone } = lead
  const [ofPhone, ofAddress] = await Promise.all([
    phone === undefined
      ? { count: 0 }
      : countHit('leads-of-phone', `${microsite}|${phone}`, DAY_SECONDS, now),
    countHit('leads-of-address', network, HOUR_SECONDS, now),
  ])
  const { rateLimitScale } = env()
  return [
    ...(ofPhone.count > DAILY_OF_PHONE * rateLimitScale ? ['many_of_phone'] : []),
    ...(ofAddress.count > HOURLY_OF_ADDRESS * rateLimitScale ? ['many_of_address'] : []),
  ]
}

/** Once, and not where a retry of the same submission has made it a head or counted it by now. */
async function quarantine(_id: ObjectId, reasons: readonly string[]): Promise<void> {
  const all = await leads.open()
  await all.updateOne(
    { _id, pending: true, headKey: { $exists: false }, 'spam.reasons': { $nin: reasons } },
    {
      $set: { quarantined: true },
      $addToSet: { 'spam.reasons': { $each: reasons } },
      $inc: { 'spam.score': reasons.length },
    },
  )
}
