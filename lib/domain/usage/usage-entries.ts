import { hash } from 'node:crypto'
import type { ObjectId } from 'mongodb'
import { z } from 'zod'
import { HOUR_MS, MINUTE_MS } from '../durations.js'

/**
 * For how long an entry is left alone: a reservation until its call counts as never started, a call of which nothing
 * more is heard until it counts as over, and one that is over until no request can still be at work that read it
 * before.
 */
export const ENTRY_LIFE_MS = { reserved: 2 * MINUTE_MS, live: 6 * HOUR_MS, final: HOUR_MS }

/** What a call adds to the totals of its period. */
export interface Counted {
  calls: 0 | 1
  seconds: number
}

/** What a call counts as, and in which period. */
export interface Metering extends Counted {
  periodId: string
}

/** A call as it stands now, as far as usage is concerned. */
export interface MeteredCall {
  userId: ObjectId
  sessionId: string
  startedAt: Date
  /** Whole seconds that the call has lasted. */
  seconds: number
  status: 'processing' | 'completed' | 'failed'
  /** What the call's document says that it was metered as. */
  metered?: Metering | undefined
}

/** A call that a period still keeps account of: admitted, going on, or just over. */
export const UsageEntry = z.object({
  sessionId: z.string(),
  state: z.enum(['reserved', 'live', 'final']),
  /** What of the period's totals is this call's. */
  calls: z.union([z.literal(0), z.literal(1)]),
  seconds: z.number().int().nonnegative(),
  /** When `ENTRY_LIFE_MS` is over. */
  dueAt: z.date(),
})
export type UsageEntry = z.infer<typeof UsageEntry>

/** The name of a call's entry: whatever a session is called, this is one step of a path. */
export function entryKey(sessionId: string): string {
  return hash('sha256', sessionId, 'base64url').slice(0, 22)
}

/** Whether a reservation was not used in time. */
export function isUnused({ state, dueAt }: UsageEntry, now: Date): boolean {
  return state === 'reserved' && dueAt <= now
}

/** Whether a call counts as over that never said so: nothing was heard of it for too long. */
export function isSilent({ state, dueAt }: UsageEntry, now: Date): boolean {
  return state === 'live' && dueAt <= now
}

/** Whether it counts as none then: no second of it was reported. */
export function isSilentFromStart(entry: UsageEntry, now: Date): boolean {
  return isSilent(entry, now) && entry.seconds === 0
}

/** What a call counts as once it is over: it was completed, or lasted. */
export function countOf({ status, seconds }: Pick<MeteredCall, 'status' | 'seconds'>): Counted {
  return { calls: status === 'completed' || seconds > 0 ? 1 : 0, seconds }
}

/**
 * An entry with one more reading of its call. Readings may come late, twice and in any order: seconds only rise, and
 * what is over stays over. A call counts while it goes on; how it ends decides whether it still does (see `countOf`),
 * and one that counts then goes on to.
 *
 * @param before without one: a call that was not admitted here.
 */
export function advance(
  before: UsageEntry | undefined,
  call: Pick<MeteredCall, 'sessionId' | 'seconds' | 'status'>,
  now: Date,
): UsageEntry {
  const seconds = Math.max(before?.seconds ?? 0, call.seconds)
  const wasFinal = before?.state === 'final'
  const state = wasFinal || call.status !== 'processing' ? 'final' : 'live'
  const counts = state === 'live' || (wasFinal && before.calls === 1)
  const calls = counts ? 1 : countOf({ ...call, seconds }).calls
  const lifeMs = ENTRY_LIFE_MS[state]
  const same = before?.state === state && before.calls === calls && before.seconds === seconds
  // A call that only goes on is written now and then, not with every word.
  const lasts = state === 'final' || (before && before.dueAt.getTime() - now.getTime() > lifeMs / 2)
  if (same && lasts) return before
  const dueAt = new Date(now.getTime() + lifeMs)
  return { sessionId: call.sessionId, state, calls, seconds, dueAt }
}
