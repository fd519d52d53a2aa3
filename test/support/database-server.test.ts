import { createServer } from 'node:net'
import { MongoClient } from 'mongodb'
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { withDatabaseName } from '../../scripts/support/database-uri.js'
import { databaseName, newRunId } from './database-name.js'
import { startDatabaseServer } from './database-server.js'

const [given = ''] = inject('databaseServer').uris
const embedded = { built: inject('built'), workers: 1 }

async function start(variables: NodeJS.ProcessEnv) {
  const server = await startDatabaseServer(newRunId(), variables, embedded)
  onTestFinished(() => server.close())
  return server
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

describe('TEST_DB=auto', () => {
  it('takes the MONGO_URI that it was given', async () => {
    expect(await start({ MONGO_URI: given })).toMatchObject({ kind: 'given', uris: [given] })
  })

  it('refuses one that is not on this machine, before connecting', async () => {
    const MONGO_URI = 'mongodb://admin:secret@db.example.com/leadline'

    await expect(start({ MONGO_URI })).rejects.toThrow(
      'Tests do not run against db.example.com:27017, which is not this machine',
    )
  })

  it('takes one elsewhere with TEST_ALLOW_REMOTE=1', async () => {
    // Not loopback by name, yet it never leaves this machine.
    const MONGO_URI = given.replace('127.0.0.1', '0.0.0.0')

    await expect(start({ MONGO_URI })).rejects.toThrow('not this machine')
    expect(await start({ MONGO_URI, TEST_ALLOW_REMOTE: '1' })).toMatchObject({ kind: 'given' })
  })

  it('does not replace one that does not answer by another', async () => {
    const MONGO_URI = `mongodb://admin:secret@127.0.0.1:${await closedPort()}/`

    await expect(start({ MONGO_URI })).rejects.toThrow(
      /^MONGO_URI was given for the tests, but 127\.0\.0\.1:\d+ does not answer$/,
    )
  })

  it('falls on to the embedded database, saying why, where the mongod is not one', async () => {
    vi.stubEnv('MONGOMS_SYSTEM_BINARY', '/nowhere/mongod')

    const server = await start({})

    expect(server.kind).toBe('embedded')
    expect(server.description).toContain('the mongod here does not start')
    expect(server.description).toContain('/nowhere/mongod')
  })
})

it('TEST_DB=embedded is a database for each worker, whatever MONGO_URI says', async () => {
  const variables = { TEST_DB: 'embedded', MONGO_URI: 'mongodb://db.example.com/' }
  const server = await startDatabaseServer(newRunId(), variables, { ...embedded, workers: 2 })
  onTestFinished(() => server.close())
  const clients = await Promise.all(server.uris.map(uri => MongoClient.connect(uri)))
  onTestFinished(async () => void (await Promise.all(clients.map(client => client.close()))))

  expect(server.kind).toBe('embedded')
  await clients[0]?.db('test').collection('leads').insertOne({})
  const counts = clients.map(client => client.db('test').collection('leads').countDocuments())
  expect(await Promise.all(counts)).toEqual([1, 0])
})

it('TEST_DB=mongod does not fall on', async () => {
  vi.stubEnv('MONGOMS_SYSTEM_BINARY', '/nowhere/mongod')

  await expect(start({ TEST_DB: 'mongod' })).rejects.toThrow('/nowhere/mongod')
})

it('TEST_DB with another value names the ones there are', () => {
  expect(() => startDatabaseServer(newRunId(), { TEST_DB: 'mongo' }, embedded)).toThrow(
    `TEST_DB is 'mongo': it can be auto, mongod or embedded`,
  )
})

it('leaves no database of its run on a server that it was given, and every other one', async () => {
  const [runId, otherRunId] = [newRunId(), newRunId()]
  const names = [databaseName(runId, '1'), databaseName(runId, '2'), databaseName(otherRunId, '1')]
  const client = await MongoClient.connect(withDatabaseName(given, 'admin'))
  onTestFinished(async () => {
    await client.db(databaseName(otherRunId, '1')).dropDatabase()
    await client.close()
  })
  const server = await startDatabaseServer(runId, { MONGO_URI: given }, embedded)
  for (const name of names) await client.db(name).collection('leads').insertOne({})

  await server.close()

  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
  const left = databases.map(database => database.name)
  expect(names.map(name => left.includes(name))).toEqual([false, false, true])
})
