import { type Filter, type MatchKeysAndValues, ObjectId, type UpdateFilter } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { retryUpsert } from '../../db/upsert.js'
import { type Entitlement, LONGEST_MONTH_MS, type Subscription } from '../billing/subscriptions.js'
import { PlanLimits, PlanName, plans } from './plans.js'
import { type Counted, UsageEntry } from './usage-entries.js'

/** What a user used in a month: the reset of a month is that the next one is another document. */
export const UsagePeriod = z.object({
  /** The user and the period's id. */
  _id: z.string(),
  userId: z.instanceof(ObjectId),
  periodId: z.string(),
  start: z.date(),
  /** As it last stood: before a renewal is known it is worked out, and Stripe may say another one. */
  end: z.date(),
  /** As they last stood. */
  plan: PlanName,
  limits: PlanLimits,
  /** With the calls of `open`, reservations included. */
  calls: z.number().int(),
  seconds: z.number().int(),
  /** By `entryKey`. */
  open: z.record(z.string(), UsageEntry),
  /**
   * When the mail of a level was written, by `alertKey`. A level by itself is from before a plan had marks of its own:
   * it stands for every plan.
   */
  alertedAt: z.record(z.string(), z.date()).optional(),
  /** Not later than the first `dueAt` of an entry, where there are entries. */
  sweepAt: z.date().optional(),
  /** When it is to be compared with the calls again; missing once that is no use any more. */
  recomputeAt: z.date().optional(),
  /** Its first use. */
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type UsagePeriod = z.infer<typeof UsagePeriod>

export const usagePeriods = collection<UsagePeriod>({
  name: 'usageperiods',
  schema: UsagePeriod,
  indexes: [
    // A user's history, and which of the periods has an entry of a call.
    { name: 'user_newest', key: { userId: 1, start: -1, _id: -1 } },
    // The periods that maintenance has something to do with, longest due first.
    { name: 'sweepAt', key: { sweepAt: 1 }, partialFilterExpression: { sweepAt: { $exists: true } } },
    {
      name: 'recomputeAt',
      key: { recomputeAt: 1 },
      partialFilterExpression: { recomputeAt: { $exists: true } },
    },
  ],
})

/** The `_id` of a user's period. */
export function usagePeriodId(userId: ObjectId, periodId: string): string {
  return `${userId.toHexString()}:${periodId}`
}

/** Of how much of the limits a user is told. */
export type AlertLevel = 'warning' | 'limit'

/** Under which name a period keeps when its user was told: each plan that the period has had has levels of its own. */
export function alertKey(plan: PlanName, level: AlertLevel): string {
  return `${plan}-${level}`
}

/** What a mail to a user is about that is sent once: a plan in a period, which is given by its `_id`. */
export function alertSubject(period: string, plan: PlanName): string {
  return `${period}:${plan}`
}

/** The `_id` of the period and the plan that `alertSubject` made a subject of; undefined for any other. */
export function readAlertSubject(subject = ''): { period: string; plan: PlanName } | undefined {
  const end = subject.lastIndexOf(':')
  const plan = PlanName.safeParse(subject.slice(end + 1))
  return plan.success ? { period: subject.slice(0, end), plan: plan.data } : undefined
}

/** A user's month before anything is counted in it. */
export function newPeriod(userId: ObjectId, { plan, period }: Entitlement, now: Date): UsagePeriod {
  return {
    _id: usagePeriodId(userId, period.id),
    userId,
    periodId: period.id,
    start: period.start,
    end: period.end,
    plan,
    limits: plans[plan],
    calls: 0,
    seconds: 0,
    open: {},
    recomputeAt: now,
    createdAt: now,
    updatedAt: now,
  }
}

/**
 * Makes a period's document with its first use. A plain upsert that decides nothing: two at once are one, and what
 * counts is done by the conditional write that comes after it.
 */
export async function ensurePeriod(userId: ObjectId, entitlement: Entitlement, now: Date): Promise<void> {
  const periods = await usagePeriods.open()
  const { _id, ...fresh } = newPeriod(userId, entitlement, now)
  await retryUpsert(() => periods.updateOne({ _id }, { $setOnInsert: fresh }, { upsert: true }))
}

/**
 * The id of the period that a moment is in of a subscription that was renewed since: it says only what its period is by
 * now. Undefined where nothing was used in it, and for any other moment.
 */
export async function findPeriodBefore(
  userId: ObjectId,
  subscription: Subscription | undefined,
  at: Date,
): Promise<string | undefined> {
  const { stripeSubscriptionId: id, currentPeriodStart } = subscription ?? {}
  if (!id || !currentPeriodStart || at >= currentPeriodStart) return undefined
  const start = { $gt: new Date(at.getTime() - LONGEST_MONTH_MS), $lte: at }
  const covers = { userId, start, end: { $gt: at } }
  const found = await (await usagePeriods.open())
    .find(covers)
    .sort({ start: -1, _id: -1 })
    .project<Pick<UsagePeriod, 'periodId'>>({ periodId: 1 })
    .toArray()
  return found.find(({ periodId }) => periodId.startsWith(`${id}:`))?.periodId
}

/** The entry of a call with the period that keeps it. */
export interface FoundEntry extends Pick<UsagePeriod, '_id' | 'periodId' | 'limits'> {
  entry: UsageEntry
}

const RANK = { final: 0, live: 1, reserved: 2 }

/**
 * The entries of a call in any period of its user, the one that is furthest first. There is one at most, unless two
 * requests for a call that nobody knew met the end of a month or a change of plan between them.
 */
export async function findEntries(userId: ObjectId, key: string): Promise<FoundEntry[]> {
  const found = await (await usagePeriods.open())
    .find({ userId, [`open.${key}`]: { $exists: true } } as Filter<UsagePeriod>)
    .sort({ start: 1, _id: 1 })
    .project<UsagePeriod>({ periodId: 1, limits: 1, [`open.${key}`]: 1 })
    .toArray()
  return found
    .flatMap(({ open, ...period }) => (open[key] ? [{ ...period, entry: open[key] }] : []))
    .sort((a, b) => RANK[a.entry.state] - RANK[b.entry.state])
}

/** An entry under its key. */
export type KeptEntry = [key: string, entry: UsageEntry]

/** A change of one entry, which is made only where the entry is still as it was read. */
interface EntryChange {
  /** The period's `_id`. */
  period: string
  key: string
  /** Undefined where there is none. */
  before: UsageEntry | undefined
  /** Undefined where there is to be none any more. */
  after: UsageEntry | undefined
  /** Entries that make room for this one: taken out, with what they count, in the same write. */
  inPlaceOf?: readonly KeptEntry[]
  /** What the totals have of the call already: that of `before`, unless its entry was dropped. */
  counted?: Counted | undefined
  /** What the totals are to have of it: that of `after`, unless it is only dropped. */
  counts?: Counted | undefined
  where?: Filter<UsagePeriod>
  set?: MatchKeysAndValues<UsagePeriod>
  /** The other entries are not needed back: there may be thousands. */
  withoutEntries?: boolean
}

const NOTHING: Counted = { calls: 0, seconds: 0 }

/**
 * Compares and sets an entry, and moves the totals by the difference in the same write. Returns the period after
 * it, or null where the entry is another one by now, the period does not exist or `where` does not hold.
 */
export async function changeEntry(change: EntryChange, now: Date): Promise<UsagePeriod | null> {
  const { period, key, before, after, inPlaceOf = [], where, set } = change
  const path = `open.${key}`
  const isThere = before ? asRead(key, before) : { [path]: { $exists: false } }
  const counts = change.counts ?? after ?? NOTHING
  const counted = [change.counted ?? before ?? NOTHING, ...inPlaceOf.map(([, entry]) => entry)]
  const goes = [...(after ? [] : [path]), ...inPlaceOf.map(([other]) => `open.${other}`)]
  const update = {
    $inc: {
      calls: counted.reduce((calls, { calls: was }) => calls - was, counts.calls as number),
      seconds: counted.reduce((seconds, { seconds: was }) => seconds - was, counts.seconds),
    },
    $set: { ...set, updatedAt: now, ...(after && { [path]: after }) },
    ...(after && { $min: { sweepAt: after.dueAt } }),
    ...(goes.length > 0 && { $unset: Object.fromEntries(goes.map(gone => [gone, ''])) }),
  }
  const others = inPlaceOf.map(([other, entry]) => asRead(other, entry))
  return (await usagePeriods.open()).findOneAndUpdate(
    Object.assign({}, where, isThere, ...others, { _id: period }) as Filter<UsagePeriod>,
    update as UpdateFilter<UsagePeriod>,
    { returnDocument: 'after', ...(change.withoutEntries && { projection: { open: 0 } }) },
  )
}

function asRead(key: string, entry: UsageEntry): object {
  return Object.fromEntries(Object.entries(entry).map(([name, value]) => [`open.${key}.${name}`, value]))
}

/** Takes an entry and all that it counted out of its period, unless it has moved on. */
export async function giveBack(period: string, key: string, entry: UsageEntry, now: Date): Promise<boolean> {
  const given = await changeEntry({ period, key, before: entry, after: undefined, withoutEntries: true }, now)
  return given !== null
}
