import { type CallRecord, findCalls, meteredCallOf, storeMetering } from '../calls/metered-calls.js'
import { advance, type Counted, countOf, ENTRY_LIFE_MS, type UsageEntry } from './usage-entries.js'
import { changeEntry, giveBack, type UsagePeriod, usagePeriods } from './usage-periods.js'

/** For so long a sweep has a period to itself. */
const CLAIM_MS = 60_000

/** How many entries of a period one sweep deals with. */
const MAX_ENTRIES = 200

/** How many periods maintenance sweeps, and for how long it begins another. */
const MAX_PERIODS = 500
const SWEEP_MS = 5_000

/** What became of entries whose time was over. */
export interface Settled {
  /** Reservations of calls that never started. */
  givenBack: number
  /** Calls that are over by now, or whose document did not say what they were metered as. */
  settled: number
  /** Entries that their call's document makes superfluous. */
  dropped: number
}

/**
 * Deals with the entries of every period that has some whose time is over. Returns what became of them, and how many
 * periods are left.
 *
 * @param shouldStop whether to end before the next period.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function sweepUsage(
  now: Date,
  shouldStop: () => boolean = () => false,
): Promise<Settled & { left: number }> {
  const startedAt = performance.now()
  const total = { givenBack: 0, settled: 0, dropped: 0 }
  const periods = await usagePeriods.open()
  const due = { sweepAt: { $lte: now } }
  for (let swept = 0; swept < MAX_PERIODS && performance.now() - startedAt < SWEEP_MS; swept++) {
    if (shouldStop()) break
    const next = await periods.findOne(due, { sort: { sweepAt: 1 }, projection: { _id: 1 } })
    if (!next) break
    const settled = await sweepPeriod(next._id, now)
    for (const name of ['givenBack', 'settled', 'dropped'] as const) total[name] += settled[name]
  }
  return { ...total, left: await periods.countDocuments(due, { limit: 1_000 }) }
}

/**
 * Deals with the entries of one period whose time is over, if no other sweep is at it. Each of them by itself, as it
 * was read: a request for the same call that is faster wins.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function sweepPeriod(_id: string, now: Date): Promise<Settled> {
  const done: Settled = { givenBack: 0, settled: 0, dropped: 0 }
  const periods = await usagePeriods.open()
  const claim = new Date(now.getTime() + CLAIM_MS)
  const period = await periods.findOneAndUpdate({ _id, sweepAt: { $lte: now } }, { $set: { sweepAt: claim } })
  if (!period) return done

  const entries = Object.entries(period.open)
  const due = entries.filter(([, entry]) => entry.dueAt <= now).slice(0, MAX_ENTRIES)
  const records = await findCalls(
    period.userId,
    due.map(([, { sessionId }]) => sessionId),
  )
  for (const [key, entry] of due) {
    const became = await settle(period, key, entry, records.get(entry.sessionId), now)
    if (became) done[became] += 1
  }

  // Nothing left: checked in the same write, since an entry that is added meanwhile has to be found.
  const { matchedCount } = await periods.updateOne({ _id, open: {} }, { $unset: { sweepAt: '' } })
  if (matchedCount === 0) {
    const next = Math.min(...entries.filter(([key]) => !due.some(([done]) => done === key)).map(dueAtOf))
    const sweepAt = new Date(Math.min(next, now.getTime() + ENTRY_LIFE_MS.final))
    await periods.updateOne({ _id, sweepAt: claim }, { $set: { sweepAt } })
  }
  return done
}

function dueAtOf([, { dueAt }]: [string, UsageEntry]): number {
  return dueAt.getTime()
}

/**
 * Copies a finished call to its document, then keeps the entry one more lifetime, until no request can hold the old
 * document and count it again. The entry's new `dueAt` keeps every other sweep from it meanwhile.
 */
async function settle(
  { _id, userId, periodId }: UsagePeriod,
  key: string,
  before: UsageEntry,
  record: CallRecord | undefined,
  now: Date,
): Promise<keyof Settled | undefined> {
  // Never started, or counted elsewhere.
  const isStray = record?.metered !== undefined && record.metered.periodId !== periodId
  if (isStray || (before.state === 'reserved' && !record))
    return (await giveBack(_id, key, before, now)) ? 'givenBack' : undefined
  const is = { period: _id, key, before, withoutEntries: true }
  const reached = record ? reachedBy(before, record, now) : before
  if (!record || (isSame(before, reached) && isSame(record.metered, reached))) {
    const dropped = await changeEntry({ ...is, after: undefined, counts: before }, now)
    return dropped ? 'dropped' : undefined
  }
  const after = { ...reached, dueAt: new Date(now.getTime() + ENTRY_LIFE_MS[reached.state]) }
  if (!(await changeEntry({ ...is, after }, now))) return undefined
  if (after.state === 'final')
    await storeMetering(userId, before.sessionId, { periodId, calls: after.calls, seconds: after.seconds })
  return 'settled'
}

/** The entry with what its call's document says. A call of which nothing was heard for a whole life is over. */
function reachedBy(before: UsageEntry, record: CallRecord, now: Date): UsageEntry {
  const call = meteredCallOf(record)
  const entry = advance(before, call, now)
  if (entry.state === 'final' || before.state === 'reserved') return entry
  return { ...entry, state: 'final', calls: countOf({ ...call, seconds: entry.seconds }).calls }
}

function isSame(one: (Counted & { state?: string }) | undefined, other: UsageEntry): boolean {
  return one?.calls === other.calls && one.seconds === other.seconds && (one.state ?? 'final') === other.state
}
