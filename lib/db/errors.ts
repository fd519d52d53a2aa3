import { MongoBulkWriteError, MongoError, MongoServerError } from 'mongodb'
import { AppError } from '../errors.js'

/** MongoDB's code for a violated unique index. */
const DUPLICATE_KEY = 11000

/**
 * Server codes that say "not now" rather than "not so": shutdown, stepping down, no primary, time out.
 * Source: the retryable codes of the Server Discovery and Monitoring specification, and MaxTimeMSExpired (50).
 */
const TRANSIENT_CODES = new Set([50, 91, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436])

/** The driver's own errors for a server that is away, too slow or whose pool is exhausted. */
const TRANSIENT_NAMES = new Set([
  'MongoServerSelectionError',
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoPoolClosedError',
  'MongoPoolClearedError',
  'MongoWaitQueueTimeoutError',
])

/** How long a client should wait while the database is away: about as long as an election takes, in seconds. */
const RETRY_AFTER_SECONDS = 5

/** Whether a unique index refused the write. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY
}

/** Whether a bulk write failed for nothing but documents that were there already. */
export function onlyDuplicates(error: unknown): error is MongoBulkWriteError {
  return (
    error instanceof MongoBulkWriteError &&
    [error.writeErrors].flat().every(writeError => writeError.code === DUPLICATE_KEY)
  )
}

/** A 503 that says when to come back. */
export function unavailable(cause: unknown): AppError {
  return new AppError('unavailable', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause })
}

/** Turns "the database is away" into the 503 that it is for a client, and leaves every other error as it was. */
export function translateDatabaseError(error: unknown): unknown {
  if (!(error instanceof MongoError)) return error
  const transient =
    TRANSIENT_NAMES.has(error.name) || (typeof error.code === 'number' && TRANSIENT_CODES.has(error.code))
  return transient ? unavailable(error) : error
}
