import type { ObjectId } from 'mongodb'
import { AppError } from '../errors.js'

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

/** What a call counts as, and in which period. */
export interface Metering {
  periodId: string
  calls: 0 | 1
  seconds: number
}

/**
 * Brings the usage of the call's period to what the call is now; may be repeated and reordered.
 *
 * @param background lets mails that this makes due go out after the answer; else they wait for the next sweep.
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function meterCall(
  _call: MeteredCall,
  _now: Date,
  _background?: (task: Promise<unknown>) => void,
): Promise<Metering> {
  throw new AppError('unavailable')
}
