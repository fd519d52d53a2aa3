import { type Filter, ObjectId } from 'mongodb'
import { z } from 'zod'
import { contended } from '../../db/errors.js'
import { AppError } from '../../errors.js'
import { Preferences, preferencesOf, type UserProfile, userProfiles } from '../accounts/user-profiles.js'
import { statusOf, users } from '../accounts/users.js'
import { type Entitlement, entitlementAt } from '../billing/subscriptions.js'
import { given } from '../client-input.js'
import type { DataScope } from '../data-scope.js'
import { UserId } from '../ids.js'
import { InventoryNumber } from '../phones/phone-numbers.js'
import { isUnlimited, type PlanLimits, plans } from '../usage/plans.js'
import { LimitReason, limitReached } from '../usage/usage.js'
import {
  ENTRY_LIFE_MS,
  entryKey,
  isSilent,
  isSilentFromStart,
  isUnused,
  type UsageEntry,
} from '../usage/usage-entries.js'
import {
  changeEntry,
  ensurePeriod,
  type KeptEntry,
  type UsagePeriod,
  usagePeriodId,
  usagePeriods,
} from '../usage/usage-periods.js'
import { sweepPeriod } from '../usage/usage-settlement.js'
import { findAdmittedUser, rememberAdmitted } from './admitted-calls.js'
import { findCalls, findUserOfCall } from './metered-calls.js'

/** No call is let on for longer than this, whatever its plan: a line that was never hung up is none. */
const LONGEST_CALL_SECONDS = 4 * 60 * 60

/** How often an admission begins anew when others are faster: each time one of them was admitted or gave back. */
const MAX_ATTEMPTS = 50

/** Whose call it is, by the called number or by id, and what the telephony calls it. */
export const AdmitCallInput = z
  .object({
    /** The number that was called. */
    to: given(InventoryNumber),
    userId: given(UserId),
    sessionId: z.string().trim().min(1).max(200),
  })
  .refine(({ to, userId }) => to !== undefined || userId !== undefined, {
    path: ['to'],
    message: 'needs the called number, or userId',
  })
export type AdmitCallInput = z.infer<typeof AdmitCallInput>

/** What the telephony is told before it answers. */
export const Admission = z.object({
  allowed: z.boolean(),
  reason: LimitReason.optional(),
  userId: z.string(),
  /** How the agent is to speak. */
  preferences: Preferences,
  /** For how many seconds from now the call may go on. */
  maxSeconds: z.number().int(),
  /** The same one whenever the same session is admitted; null where it is not. */
  reservationId: z.string().nullable(),
})
export type Admission = z.infer<typeof Admission>

/**
 * Admits a call, if the plan allows one more: exactly as many as that, however many ask at once. It is reserved by
 * one conditional write on the period's document; asked again for the same session, the answer is the reservation
 * that there is, whatever became of the call. One that does not start within two minutes is given back.
 *
 * Calls that overlap share what is left of the minutes equally, with those that were admitted and have not started;
 * asked again in the middle of a call, the answer is its share by then. A call is let through as long as a second is
 * left.
 *
 * @throws {AppError} `not_found` where there is no active user with that id or number in the scope.
 */
export async function admitCall(scope: DataScope, input: AdmitCallInput, now: Date): Promise<Admission> {
  const { userId, profile, isRemembered } = await findCallee(scope, input)
  const { sessionId } = input
  // Who may not admit everybody's calls is not believed that a user's came in on just any number.
  const to = input.userId !== undefined && scope.ownerIds ? undefined : input.to
  const entitlement = entitlementAt(profile?.subscription, now)
  const [reserved] = await Promise.all([
    reserve(userId, sessionId, entitlement, now),
    to !== undefined && !isRemembered && rememberAdmitted(sessionId, to, userId, now),
  ])
  const known = { userId: userId.toHexString(), preferences: preferencesOf(profile) }
  if (typeof reserved === 'string')
    return { allowed: false, reason: reserved, ...known, maxSeconds: 0, reservationId: null }
  return { allowed: true, ...known, maxSeconds: reserved, reservationId: entryKey(sessionId) }
}

/** What an admission needs of a profile: what it knows of the business may be long. */
const PROFILE = { projection: { userId: 1, preferences: 1, subscription: 1 } }

interface Callee {
  userId: ObjectId
  profile: UserProfile | null
  /** By an earlier admission. */
  isRemembered: boolean
}

/**
 * Whose call it is, whether or not that user is active: one that goes on is whose it was posted as, one that is about to
 * whom it was admitted to, else the number is its profile's, and an id needs none.
 */
async function findCallee(
  { ownerIds }: DataScope,
  { to = '', userId, sessionId }: AdmitCallInput,
): Promise<Callee> {
  const given = userId === undefined ? undefined : new ObjectId(userId)
  const [found, taker, admitted] = await Promise.all([
    findProfile(given ? { userId: given } : { assignedPhoneNumber: to }),
    given ? undefined : findUserOfCall(sessionId, to),
    given ? undefined : findAdmittedUser(sessionId, to),
  ])
  const id = given ?? taker ?? admitted ?? found?.userId
  if (!id || (ownerIds && !ownerIds.some(owner => owner.equals(id)))) throw nobody()
  const isTheirs = given || found?.userId.equals(id)
  const profile = isTheirs ? found : await findProfile({ userId: id })
  return { userId: id, profile, isRemembered: admitted !== undefined }
}

async function findProfile(which: Filter<UserProfile>): Promise<UserProfile | null> {
  return (await userProfiles.open()).findOne(which, PROFILE)
}

async function requireActive(userId: ObjectId): Promise<void> {
  const user = await (await users.open()).findOne({ _id: userId }, { projection: { status: 1 } })
  if (!user || statusOf(user) !== 'active') throw nobody()
}

function nobody(): AppError {
  return new AppError('not_found', 'No active account takes this call.')
}

/**
 * The seconds that the call may go on, or why there is none. What it reads first need not wait until the user is known
 * to be active.
 *
 * @throws {AppError} `not_found` for a user who is not active.
 */
async function reserve(
  userId: ObjectId,
  sessionId: string,
  { plan, period }: Entitlement,
  now: Date,
): Promise<number | LimitReason> {
  const key = entryKey(sessionId)
  const limits: PlanLimits = plans[plan]
  const _id = usagePeriodId(userId, period.id)
  // Of a call that is over for long there is no entry any more: its document says that it was counted, and did long
  // before the entry was dropped, so that it does not matter which of the two is read first.
  const calls = findCalls(userId, [sessionId])
  const active = requireActive(userId)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const [found, known] = await Promise.all([findPeriods(userId, _id, key, limits), calls, active])
    const wasMetered = known.get(sessionId)?.metered !== undefined
    const current = found.find(period => period._id === _id)
    // It may have been admitted last month.
    const keeper = found.find(({ open }) => open?.[key])
    const kept = keeper?.open[key]
    if (wasMetered || (kept && kept.state !== 'reserved')) return share(keeper ?? current, key, limits, now)

    const after = reservation(sessionId, now)
    if (keeper && kept) {
      const renewed = await changeEntry({ period: keeper._id, key, before: kept, after }, now)
      if (renewed) return share(renewed, key, limits, now)
    } else if (current) {
      const room = findRoom(current, limits, now)
      if (typeof room === 'string') {
        // Where every call is refused, none comes by that settles them.
        if (!hasSilent(current, now)) return room
        await sweepPeriod(_id, now)
        continue
      }
      const change = {
        period: _id,
        key,
        before: undefined,
        after,
        set: { plan, limits, end: period.end },
        ...room,
      }
      const won = await changeEntry({ ...change, withoutEntries: isUnlimited(limits) }, now)
      if (won) return share(won, key, limits, now)
    } else await ensurePeriod(userId, { plan, period }, now)
  }
  throw contended()
}

/** The current period, and any other that has the session's entry; without the other entries where none matters. */
async function findPeriods(
  userId: ObjectId,
  current: string,
  key: string,
  limits: PlanLimits,
): Promise<UsagePeriod[]> {
  const hasEntry = { [`open.${key}`]: { $exists: true } }
  const withoutOthers = { userId: 1, periodId: 1, calls: 1, seconds: 1, [`open.${key}`]: 1 }
  return (await usagePeriods.open())
    .find({ userId, $or: [{ _id: current }, hasEntry] } as Filter<UsagePeriod>)
    .sort({ start: 1, _id: 1 })
    .project<UsagePeriod>(isUnlimited(limits) ? withoutOthers : {})
    .toArray()
}

function reservation(sessionId: string, now: Date): UsageEntry {
  const dueAt = new Date(now.getTime() + ENTRY_LIFE_MS.reserved)
  return { sessionId, state: 'reserved', calls: 1, seconds: 0, dueAt }
}

interface Room {
  where: Filter<UsagePeriod>
  inPlaceOf: KeptEntry[]
}

/**
 * What the write that admits has to look at, and which unused reservations it takes the place of; or which limit
 * leaves no room. Many that ask at once each take another one, as far as there are.
 */
function findRoom(period: UsagePeriod, limits: PlanLimits, now: Date): Room | LimitReason {
  const unused = Object.entries(period.open).filter(([, entry]) => isUnused(entry, now))
  const reason = limitReached(limits, { ...period, calls: period.calls - unused.length })
  if (reason) return reason
  const missing = limits.calls === null ? 0 : Math.max(0, period.calls + 1 - limits.calls)
  const first = Math.floor(Math.random() * unused.length)
  const inPlaceOf = [...unused.slice(first), ...unused.slice(0, first)].slice(0, missing)
  return {
    where: {
      ...(limits.calls !== null && { calls: { $lt: limits.calls + missing } }),
      ...(limits.minutes !== null && { seconds: { $lt: limits.minutes * 60 } }),
    },
    inPlaceOf,
  }
}

/** Whether a sweep would find calls that fell silent and count as none; not while another one is at it. */
function hasSilent({ open, sweepAt }: UsagePeriod, now: Date): boolean {
  const isDue = sweepAt !== undefined && sweepAt <= now
  return isDue && Object.values(open).some(entry => isSilentFromStart(entry, now))
}

/** An equal share of the seconds that are left, among the calls that are going on or about to, this one included. */
function share(period: UsagePeriod | undefined, key: string, { minutes }: PlanLimits, now: Date): number {
  if (minutes === null) return LONGEST_CALL_SECONDS
  const others = Object.entries(period?.open ?? {}).filter(
    ([other, entry]) =>
      other !== key && entry.state !== 'final' && !isUnused(entry, now) && !isSilent(entry, now),
  )
  const left = Math.max(0, minutes * 60 - (period?.seconds ?? 0))
  return Math.min(LONGEST_CALL_SECONDS, Math.ceil(left / (others.length + 1)))
}
