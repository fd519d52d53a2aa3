import { MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerError } from 'mongodb'
import { ConfigurationError } from '../env.js'
import { AppError } from '../errors.js'

/** MongoDB's code for a violated unique index. */
const DUPLICATE_KEY = 11000

/**
 * MongoDB's code for a write that conflicts with another. MongoDB repeats the write itself; engines that speak its
 * protocol on PostgreSQL answer with this to end a deadlock.
 */
export const WRITE_CONFLICT = 112

/**
 * Server codes that say "not now" rather than "not so": unreachable, shutdown, stepping down, no primary, time
 * out. Source: MongoDB's specification of retryable reads, LegacyNotPrimary (10058) and MaxTimeMSExpired (50); then
 * what is written but not on a majority (64, 100), no room: a full disk (14031), Atlas over its quota (8000), and
 * WriteConflict (112).
 */
const TRANSIENT_CODES = new Set([
  6, 7, 50, 64, 89, 91, 100, 112, 134, 189, 262, 8000, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 14031,
])

/** The driver's own errors, beside those of the network, for a server that is away or whose pool is exhausted. */
const TRANSIENT_NAMES = new Set([
  'MongoServerSelectionError',
  'MongoServerClosedError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoPoolClosedError',
  'MongoWaitQueueTimeoutError',
])

/** How long a client should wait while the database is away: about as long as an election takes, in seconds. */
const RETRY_AFTER_SECONDS = 5

/** Whether a unique index refused the write. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY
}

/** Whether nothing but another write at the same moment was in the way: the same write may succeed now. */
export function isWriteConflict(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === WRITE_CONFLICT
}

/**
 * Whether a bulk write failed only because documents were there already. The others are then stored, with the write
 * concern that was asked for.
 */
export function onlyDuplicates(error: unknown): error is MongoBulkWriteError {
  return failedOnlyWith(error, DUPLICATE_KEY)
}

/**
 * Whether a bulk of upserts failed only because of collisions. The others are then done, with the write concern that
 * was asked for.
 */
export function onlyCollisions(error: unknown): error is MongoBulkWriteError {
  return failedOnlyWith(error, DUPLICATE_KEY, WRITE_CONFLICT)
}

function failedOnlyWith(error: unknown, ...codes: readonly number[]): error is MongoBulkWriteError {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) return false
  const failures = [error.writeErrors].flat()
  return failures.length > 0 && failures.every(({ code }) => codes.includes(code))
}

/** A 503 that says when to come back. */
export function unavailable(cause: unknown): AppError {
  return new AppError('unavailable', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause })
}

/**
 * A 503 for a request that other requests of the same moment were in the way of: once they are done, in a second, it
 * can go through.
 */
export function contended(): AppError {
  return new AppError('unavailable', undefined, { retryAfterSeconds: 1 })
}

/**
 * Turns "the database is away" into the 503 that it is for a client, and leaves every other error as it was. Where
 * the environment is wrong nobody knows which database: for clients it is away, and the log says what to mend.
 */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof ConfigurationError) return unavailable(error)
  if (!(error instanceof MongoError)) return error
  const reason = reasonOf(error)
  const transient =
    reason instanceof MongoNetworkError ||
    TRANSIENT_NAMES.has(reason.name) ||
    codesOf(reason).some(code => TRANSIENT_CODES.has(code))
  return transient ? unavailable(error) : error
}

/** Why a bulk write got no answer: the driver keeps that as the response of its error. */
export function reasonOf(error: MongoError): MongoError {
  const response: unknown = error instanceof MongoBulkWriteError ? error.errorResponse : undefined
  return response instanceof MongoError ? response : error
}

/** The codes of an error. A bulk's own code is that of its first failure, and never that of a failed write concern. */
function codesOf(error: MongoError): number[] {
  const inBulk =
    error instanceof MongoBulkWriteError
      ? [...[error.writeErrors].flat(), error.result.getWriteConcernError()].map(failure => failure?.code)
      : []
  return [error.code, ...inBulk].filter(code => typeof code === 'number')
}
