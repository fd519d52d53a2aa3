import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { collection } from '../../db/collection.js'
import { retryUpsert } from '../../db/upsert.js'

/** For so long a run that was killed keeps others out; one that lives renews it long before. */
const LEASE_MS = 60_000
const RENEWED_EVERY_MS = 15_000

/** Which run is at the maintenance, and what became of the last one. One document. */
export const MaintenanceLock = z.object({
  _id: z.literal('turn'),
  /** The run that is at it, and until when it counts as alive. */
  holder: z.instanceof(ObjectId).optional(),
  expiresAt: z.date().optional(),
  startedAt: z.date().optional(),
  /** The job to begin with: the one that the run before did not get to. */
  next: z.string().optional(),
  /** The last run that came to its end. */
  finishedAt: z.date().optional(),
  ok: z.boolean().optional(),
})
export type MaintenanceLock = z.infer<typeof MaintenanceLock>

export const maintenanceLocks = collection<MaintenanceLock>({
  name: 'maintenance',
  schema: MaintenanceLock,
  indexes: [],
})

const _id = 'turn'

/** The lock, as the run has it that holds it. */
export interface Lock {
  /** The job to begin with. */
  next: string | undefined
  /** Whether it is held still: not after it could not be renewed for a minute. */
  isHeld(): boolean
  /**
   * Notes the job that comes next, for the run after this one: a job may end the process that it runs in. Nobody waits
   * for the note, which is made again with each renewal.
   */
  moveTo(next: string): void
  /** Releases it. */
  end(ok: boolean): Promise<void>
  /** Stops renewing: the lease keeps others out for a while yet, since a job may still be at work. */
  leave(): void
}

/**
 * Takes the lock, unless another run has it: then says since when. A run that died loses it when its lease ends. The
 * clocks of the machines that run maintenance may differ by less than that.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function acquireLock(clock: () => Date): Promise<Lock | { runningSince: Date }> {
  const locks = await maintenanceLocks.open()
  const holder = new ObjectId()
  const startedAt = clock()
  let expiresAt = leaseFrom(startedAt)
  await retryUpsert(() => locks.updateOne({ _id }, { $setOnInsert: { _id } }, { upsert: true }))
  const taken = await locks.findOneAndUpdate(
    { _id, expiresAt: { $not: { $gt: startedAt } } },
    { $set: { holder, startedAt, expiresAt } },
    { returnDocument: 'after' },
  )
  if (!taken?.holder?.equals(holder)) {
    const other = await locks.findOne({ _id })
    return { runningSince: other?.startedAt ?? startedAt }
  }

  let next = taken.next
  async function renew(): Promise<void> {
    const until = leaseFrom(clock())
    const { matchedCount } = await locks.updateOne(
      { _id, holder },
      { $set: { expiresAt: until, ...(next !== undefined && { next }) } },
    )
    if (matchedCount === 1) expiresAt = until
    else clearInterval(renewing)
  }
  // A renewal that fails is followed by others before the lease ends.
  const tryToRenew = () => void renew().catch(() => {})
  const renewing = setInterval(tryToRenew, RENEWED_EVERY_MS)

  return {
    next,
    isHeld: () => clock() < expiresAt,
    moveTo(job) {
      next = job
      tryToRenew()
    },
    async end(ok) {
      clearInterval(renewing)
      await locks.updateOne(
        { _id, holder },
        {
          $set: { finishedAt: clock(), ok, ...(next !== undefined && { next }) },
          $unset: { holder: '', expiresAt: '' },
        },
      )
    },
    leave() {
      clearInterval(renewing)
    },
  }
}

function leaseFrom(now: Date): Date {
  return new Date(now.getTime() + LEASE_MS)
}

/** What is known of the runs so far; undefined before the first one. */
export async function findMaintenanceLock(): Promise<MaintenanceLock | undefined> {
  return (await (await maintenanceLocks.open()).findOne({ _id })) ?? undefined
}
