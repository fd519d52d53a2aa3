import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { withDatabaseName } from '../../scripts/support/database-uri.js'
import { databaseName, isDatabaseOf, newRunId } from './database-name.js'

describe('the name of a test database', () => {
  it('is recognised by its own run only', () => {
    const [runId, otherRunId] = [newRunId(), newRunId()]
    const name = databaseName(runId, '3')

    expect(name).toMatch(/^leadline-test-[a-z0-9]+-3$/)
    expect(isDatabaseOf(runId, name)).toBe(true)
    expect(isDatabaseOf(otherRunId, name)).toBe(false)
  })

  it.each([
    'leadline',
    'leadline-test',
    'admin',
    '',
    'leadline-test-abcdefgh1-',
    'leadline-test-abcdefgh1-1-copy',
  ])('is not %s', name => {
    expect(isDatabaseOf('abcdefgh1', name)).toBe(false)
  })

  it.each(['', '.*', 'leadline', 'a-b'])('is not made for the worker %j', workerId => {
    expect(() => databaseName(newRunId(), workerId)).toThrow('is not a name for a test database')
  })

  it('fits in what MongoDB allows', () => {
    expect(Buffer.byteLength(databaseName(newRunId(), '9999'))).toBeLessThan(64)
  })
})

describe('the connection string of another database', () => {
  it.each([
    ['mongodb://127.0.0.1:27017', 'mongodb://127.0.0.1:27017/other'],
    ['mongodb://127.0.0.1:27017/', 'mongodb://127.0.0.1:27017/other'],
    ['mongodb://127.0.0.1/leadline', 'mongodb://127.0.0.1/other'],
    ['mongodb://a,b:2/leadline?replicaSet=rs', 'mongodb://a,b:2/other?replicaSet=rs'],
    ['mongodb://127.0.0.1?directConnection=true', 'mongodb://127.0.0.1/other?directConnection=true'],
    ['mongodb://%2Ftmp%2Fm.sock/leadline', 'mongodb://%2Ftmp%2Fm.sock/other'],
  ])('of %s', (uri, expected) => {
    expect(withDatabaseName(uri, 'other')).toBe(expected)
  })

  it.each([
    ['mongodb://user:secret@127.0.0.1/', 'admin'],
    ['mongodb://user:secret@127.0.0.1/accounts', 'accounts'],
    ['mongodb://user:secret@127.0.0.1/leadline?authSource=accounts', 'accounts'],
    ['mongodb://user:secret@127.0.0.1/leadline?AuthSource=accounts', 'accounts'],
  ])('of %s authenticates as before', (uri, authSource) => {
    const { credentials, dbName } = new MongoClient(withDatabaseName(uri, 'other')).options

    expect(credentials).toMatchObject({ source: authSource, username: 'user', password: 'secret' })
    expect(dbName).toBe('other')
  })
})
