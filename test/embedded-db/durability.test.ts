import { appendFile, cp, type FileHandle, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Collection, Decimal128, Double, Long, MongoClient } from 'mongodb'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Journal } from '../../scripts/embedded-db/durable/journal.js'
import { type EmbeddedDbOptions, startEmbeddedDb } from '../../scripts/embedded-db/index.js'
import { dataDirectory } from './support/data-directory.js'

interface Row {
  _id: number
  n?: number
  list?: number[]
  text?: string
  seen?: boolean
}

interface Session {
  rows: Collection<Row>
  client: MongoClient
  end(): Promise<void>
}

async function begin(options: EmbeddedDbOptions): Promise<Session> {
  const server = await startEmbeddedDb(options)
  const client = new MongoClient(server.uri)
  let ended = false
  const end = async () => {
    if (ended) return
    ended = true
    await client.close()
    await server.close()
  }
  onTestFinished(end)
  return { rows: client.db('durable').collection<Row>('rows'), client, end }
}

async function reopened(directory: string): Promise<Session> {
  return begin({ directory })
}

const idsOf = async (rows: Collection<Row>) =>
  (await rows.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id)

describe('what is kept', () => {
  it('brings back documents to the byte and in their order, indexes, and what was dropped', async () => {
    const directory = await dataDirectory()
    const first = await begin({ directory })
    const typed = new Map<string, unknown>([
      ['_id', 3],
      ['b', new Double(1)],
      ['10', Long.fromNumber(5)],
      ['2', Decimal128.fromString('1.50')],
    ])
    await first.rows.insertMany([{ _id: 9 }, typed as unknown as Row, { _id: 1, list: [1] }])
    await first.rows.updateOne({ _id: 9 }, { $set: { seen: true } })
    await first.rows.deleteOne({ _id: 1 })
    await first.rows.insertOne({ _id: 1, list: [2] })
    await first.rows.createIndex(
      { list: 1 },
      { unique: true, partialFilterExpression: { list: { $exists: true } } },
    )
    await first.rows.createIndex({ at: 1 }, { expireAfterSeconds: 7 })
    await first.rows.createIndex({ gone: 1 })
    await first.rows.dropIndex('gone_1')
    const database = first.client.db('durable')
    await database.collection('dropped').insertOne({ a: 1 })
    await database.collection('dropped').drop()
    await first.client.db('other').collection('x').insertOne({ a: 1 })
    await first.client.db('other').dropDatabase()
    const before = await first.rows.find({}, { raw: true }).toArray()
    const indexes = await first.rows.indexes()
    await first.end()

    const second = await reopened(directory)
    expect(await second.rows.find({}, { raw: true }).toArray()).toEqual(before)
    expect(await second.rows.distinct('_id')).toEqual([9, 3, 1])
    expect(await second.rows.indexes()).toEqual(indexes)
    await expect(second.rows.insertOne({ _id: 50, list: [2] })).rejects.toMatchObject({ code: 11000 })
    const collections = await second.client.db('durable').listCollections({}, { nameOnly: true }).toArray()
    expect(collections.map(({ name }) => name).sort()).toEqual(['rows'])
    const { databases } = await second.client.db().admin().listDatabases()
    expect(databases.map(({ name }) => name)).toEqual(['durable'])
  })

  it('is shared by many writers with few syncs, and none is told before its own is through', async () => {
    const directory = await dataDirectory()
    const { rows } = await begin({ directory })
    await rows.insertOne({ _id: -1 })
    const probe = await open(join(directory, 'journal-0'))
    const handle = Object.getPrototypeOf(probe) as { datasync(): Promise<void> }
    await probe.close()
    const { datasync } = handle
    let [begun, finished] = [0, 0]
    vi.spyOn(handle, 'datasync').mockImplementation(async function (this: unknown) {
      begun++
      await new Promise(resolve => setTimeout(resolve, 20))
      await datasync.call(this)
      finished++
    })
    const tooEarly: number[] = []
    await Promise.all(
      Array.from({ length: 200 }, async (_, _id) => {
        const before = begun
        await rows.insertOne({ _id })
        if (finished <= before) tooEarly.push(_id)
      }),
    )
    expect(tooEarly).toEqual([])
    expect(begun).toBeLessThan(100)
  })
})

describe('after a crash', () => {
  /** The directory as a crash would leave it: copied while the database runs. */
  async function crashed(directory: string): Promise<string> {
    const copy = await dataDirectory()
    await cp(directory, copy, { recursive: true })
    return copy
  }

  it('finds everything acknowledged, and takes over the lock', async () => {
    const directory = await dataDirectory()
    const { rows } = await begin({ directory })
    for (let _id = 0; _id < 20; _id++) await rows.insertOne({ _id })
    const copy = await crashed(directory)
    expect(await readdir(copy)).toContain('lock')
    expect(await idsOf((await reopened(copy)).rows)).toEqual(Array.from({ length: 20 }, (_, _id) => _id))
  })

  it.each([1, 5, 11, 13, 40])('cuts a write torn after %i bytes, says so, and goes on', async length => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory })
    await rows.insertOne({ _id: 1 })
    const path = join(directory, 'journal-0')
    const { size } = await stat(path)
    await rows.insertMany([{ _id: 2 }, { _id: 3 }])
    await end()
    const whole = await readFile(path)
    await writeFile(path, whole.subarray(0, size + length))

    const second = await reopened(directory)
    expect(await idsOf(second.rows)).toEqual([1])
    expect(warn).toHaveBeenCalledWith(expect.stringContaining(`cut ${length} bytes`))
    await second.rows.insertOne({ _id: 4 })
    await second.end()
    expect(await idsOf((await reopened(directory)).rows)).toEqual([1, 4])
  })

  it('cuts zeros that a crash left behind the last write', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory })
    await rows.insertOne({ _id: 1 })
    await end()
    await appendFile(join(directory, 'journal-0'), Buffer.alloc(5000))
    expect(await idsOf((await reopened(directory)).rows)).toEqual([1])
  })

  it('refuses a journal that is damaged in the middle instead of losing what comes after', async () => {
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory })
    for (let _id = 0; _id < 5; _id++) await rows.insertOne({ _id, text: 'some text' })
    await end()
    const path = join(directory, 'journal-0')
    const bytes = await readFile(path)
    const at = bytes.indexOf('some text')
    bytes.write('SOME', at)
    await writeFile(path, bytes)
    await expect(startEmbeddedDb({ directory })).rejects.toThrow(/journal-0 is damaged at byte \d+/)
    // Nothing was cut, and the lock is free again.
    expect(await readFile(path)).toEqual(bytes)
    await expect(startEmbeddedDb({ directory })).rejects.toThrow('damaged')
  })
})

describe('compaction', () => {
  const compactAfterBytes = 50_000

  async function journalsOf(directory: string) {
    return (await readdir(directory)).filter(name => name !== 'lock').sort()
  }

  it('rolls the journal into a snapshot while writers go on, and loses nothing', async () => {
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory, compactAfterBytes })
    await rows.createIndex({ n: 1 }, { unique: true })
    const text = 'x'.repeat(200)
    const expected = new Map<number, number>()
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let step = 0; step < 300; step++) {
          const _id = writer * 1000 + (step % 100)
          const n = writer * 1000 + step
          await rows.updateOne({ _id }, { $set: { n, text } }, { upsert: true })
          expected.set(_id, n)
          if (step % 7 === 0) {
            await rows.deleteOne({ _id })
            expected.delete(_id)
          }
        }
      }),
    )
    await end()
    const files = await journalsOf(directory)
    expect(files).toHaveLength(2)
    expect(files[0]).toMatch(/^journal-[1-9]/)
    expect(files[1]).toMatch(/^snapshot-[1-9]/)
    const { size } = await stat(join(directory, files[0] as string))
    expect(size).toBeLessThan(1_000_000)
    const second = await reopened(directory)
    const found = await second.rows.find().toArray()
    expect(new Map(found.map(({ _id, n }) => [_id, n]))).toEqual(expected)
    await expect(second.rows.insertOne({ _id: -1, n: 299 })).rejects.toMatchObject({ code: 11000 })
  })

  it('a crash before the snapshot is in place leaves the journals in charge', async () => {
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory })
    await rows.insertOne({ _id: 1 })
    await end()
    // Both what a crash leaves behind: half a snapshot, and the journal begun for after it.
    await writeFile(join(directory, 'snapshot-1.tmp'), 'half')
    await cp(join(directory, 'journal-0'), join(directory, 'journal-1'))
    const second = await reopened(directory)
    await second.rows.insertOne({ _id: 2 })
    await second.end()
    expect(await journalsOf(directory)).toEqual(['journal-0', 'journal-1'])
    expect(await idsOf((await reopened(directory)).rows)).toEqual([1, 2])
  })

  it('a crash before the next journal is begun may tear the write at the end of this one', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory })
    await rows.insertOne({ _id: 1 })
    await end()
    const path = join(directory, 'journal-0')
    const { size } = await stat(path)
    await appendFile(path, (await readFile(path)).subarray(0, size - 1))
    const torn = await readFile(path)
    await writeFile(join(directory, 'journal-1'), '')

    const second = await reopened(directory)
    await second.rows.insertOne({ _id: 2 })
    await second.end()
    const third = await reopened(directory)
    expect(await idsOf(third.rows)).toEqual([1, 2])
    await third.end()

    // A torn end before a journal that holds changes is damage.
    await writeFile(path, torn)
    await expect(startEmbeddedDb({ directory })).rejects.toThrow('journal-0 is damaged')
  })

  it('is given up where a write was undone that it has seen', async () => {
    const unwritable = {
      write: () => Promise.reject(new Error('ENOSPC: no space left on device, write')),
      truncate: async () => {},
    } as unknown as FileHandle
    let isUndone = false
    let close = () => {}
    const old = { close: () => new Promise<void>(resolve => (close = resolve)) } as unknown as FileHandle
    const journal = new Journal(old, 0)
    journal.append([Buffer.from('a write')], () => {
      isUndone = true
    })
    let hasSeenIt = false
    const captured = journal.continueIn(unwritable, () => {
      hasSeenIt = !isUndone
    })
    const isGivenUp = expect(captured).rejects.toThrow('ENOSPC')

    await vi.waitFor(() => expect(isUndone).toBe(true))
    close()

    expect(hasSeenIt).toBe(true)
    await isGivenUp
  })

  it('refuses a snapshot that is not whole', async () => {
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory, compactAfterBytes: 100 })
    for (let _id = 0; _id < 20; _id++) await rows.insertOne({ _id, text: 'x'.repeat(100) })
    await end()
    const snapshot = (await journalsOf(directory)).find(name => name.startsWith('snapshot')) as string
    const path = join(directory, snapshot)
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length - 1))
    await expect(startEmbeddedDb({ directory })).rejects.toThrow(`${snapshot} is damaged`)
  })
})

describe('a disk without room', () => {
  it('refuses the writes, shows nothing of them, and takes writes again when there is room', async () => {
    const directory = await dataDirectory()
    const { rows, client, end } = await begin({ directory })
    await rows.createIndex({ n: 1 }, { unique: true })
    await rows.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 2 },
    ])
    const before = await rows.find().toArray()

    const probe = await open(join(directory, 'journal-0'))
    const handle = Object.getPrototypeOf(probe) as { write(...args: unknown[]): Promise<unknown> }
    await probe.close()
    const { write } = handle
    const full = vi.spyOn(handle, 'write').mockImplementation(async function (
      this: unknown,
      bytes: unknown,
      at: unknown,
      length: unknown,
      position: unknown,
    ) {
      // Half of it still fits.
      await write.call(this, bytes, at, Math.floor(Number(length) / 2), position)
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    })
    const database = client.db('durable')
    const refused = { code: 14031, message: expect.stringContaining('ENOSPC') }
    const attempts = await Promise.allSettled([
      rows.insertOne({ _id: 3, n: 3 }),
      rows.updateOne({ _id: 1 }, { $set: { n: 10 } }),
      rows.updateOne({ _id: 1 }, { $inc: { n: 5 } }),
      rows.deleteOne({ _id: 2 }),
      rows.insertMany([
        { _id: 4, n: 4 },
        { _id: 5, n: 5 },
      ]),
      rows.findOneAndUpdate({ _id: 6 }, { $set: { n: 6 } }, { upsert: true }),
      database.collection('fresh').insertOne({ a: 1 }),
      rows.createIndex({ other: 1 }),
    ])
    for (const attempt of attempts) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: refused })
    }
    await expect(rows.drop()).rejects.toMatchObject(refused)
    const byId = { sort: { _id: 1 as const } }
    expect(await rows.find({}, byId).toArray()).toEqual(before)
    expect(await rows.find({ n: { $gte: 0 } }).toArray()).toEqual(before)
    expect(await database.listCollections({}, { nameOnly: true }).toArray()).toHaveLength(1)
    expect(await rows.indexes()).toHaveLength(2)

    full.mockRestore()
    await rows.insertOne({ _id: 3, n: 3 })
    await end()
    const second = await reopened(directory)
    expect(await second.rows.find({}, byId).toArray()).toEqual([...before, { _id: 3, n: 3 }])
  })

  it('does not bring back after a restart what it said was undone', async () => {
    const directory = await dataDirectory()
    const { rows, end } = await begin({ directory })
    await rows.insertOne({ _id: 1 })
    const probe = await open(join(directory, 'journal-0'))
    const handle = Object.getPrototypeOf(probe) as { datasync(): Promise<void> }
    await probe.close()
    // Written as a whole, but nobody knows whether it reached the disk.
    vi.spyOn(handle, 'datasync').mockRejectedValueOnce(new Error('EIO: i/o error, fdatasync'))
    await expect(rows.insertOne({ _id: 2 })).rejects.toMatchObject({ code: 14031 })
    await end()
    expect(await idsOf((await reopened(directory)).rows)).toEqual([1])
  })
})
