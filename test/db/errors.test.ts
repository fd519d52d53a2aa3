import {
  type BulkWriteResult,
  MongoBulkWriteError,
  MongoClientClosedError,
  MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoServerClosedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  type TopologyDescription,
  type WriteError,
} from 'mongodb'
import { describe, expect, it } from 'vitest'
import { onlyCollisions, onlyDuplicates, translateDatabaseError } from '../../lib/db/errors.js'
import { AppError } from '../../lib/errors.js'

function serverError(code: number) {
  return new MongoServerError({ code, errmsg: 'refused' })
}

/** The driver exports the class of this one as a type only. */
class PoolClearedOnNetworkError extends MongoNetworkError {
  override get name() {
    return 'PoolClearedOnNetworkError'
  }
}

describe('an error that says "not now"', () => {
  it.each([
    new MongoServerSelectionError('timed out', {} as TopologyDescription),
    new MongoNetworkError('closed'),
    new MongoNetworkTimeoutError('timed out'),
    new PoolClearedOnNetworkError('interrupted by the monitor'),
    new MongoNotConnectedError('closed'),
    new MongoServerClosedError('closed'),
    new MongoTopologyClosedError('closed'),
    new MongoClientClosedError(),
  ])('is a 503 that says when to come back: $name', error => {
    expect(translateDatabaseError(error)).toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
      cause: error,
    })
  })

  // https://github.com/mongodb/specifications, retryable reads and writes; 50 is MaxTimeMSExpired, 64 and 100 are of
  // write concerns, 14031 is OutOfDiskSpace, 8000 is Atlas's own (over its quota).
  it.each([
    6, 7, 50, 64, 89, 91, 100, 112, 134, 189, 262, 8000, 9001, 10058, 10107, 11600, 11602, 13435, 13436,
    14031,
  ])('is a 503 where the server says it with code %i', code => {
    expect(translateDatabaseError(serverError(code))).toBeInstanceOf(AppError)
  })
})

describe('an error that says "not so"', () => {
  it.each([
    serverError(11000),
    serverError(121),
    serverError(13),
    new MongoError('anything'),
    new Error('connection closed'),
    new AppError('conflict'),
    'text',
    undefined,
  ])('stays what it is: %s', error => {
    expect(translateDatabaseError(error)).toBe(error)
  })
})

describe('a bulk write', () => {
  it.each([
    [[11000], true, true],
    [[11000, 11000], true, true],
    [[11000, 112], false, true],
    [[11000, 121], false, false],
    [[121], false, false],
  ])('that failed with %j failed for nothing but duplicates: %s, or collisions: %s', (codes, ...expected) => {
    expect([onlyDuplicates(bulkError(codes)), onlyCollisions(bulkError(codes))]).toEqual(expected)
  })

  it.each([
    ['its connection', new MongoNetworkError('closed')],
    ['nothing that it names', bulkError([])],
    ['the write concern as well', bulkError([11000], { code: 64 })],
  ])('that failed for %s did not', (_, error) => {
    expect(onlyDuplicates(error)).toBe(false)
  })

  it.each([
    ['its connection', new MongoBulkWriteError(new MongoNetworkError('closed'), {} as BulkWriteResult)],
    ['a write that came after a duplicate', bulkError([11000, 11602])],
    ['its write concern alone', bulkError([], { code: 189 })],
  ])('that failed for %s is a 503', (_, error) => {
    expect(translateDatabaseError(error)).toBeInstanceOf(AppError)
  })
})

function bulkError(codes: number[], writeConcernError?: object): MongoBulkWriteError {
  const writeErrors = codes.map(code => ({ code })) as unknown as WriteError[]
  const result = { getWriteConcernError: () => writeConcernError } as unknown as BulkWriteResult
  return new MongoBulkWriteError({ message: 'refused', code: 1, writeErrors }, result)
}
