import { type Collection, MongoClient } from 'mongodb'
import { expect, it } from 'vitest'
import { databaseProcess } from './support/child-process.js'
import { dataDirectory } from './support/data-directory.js'

const ROUNDS = process.env.SOAK ? 10 : 2
const WRITERS = 8

interface Row {
  _id: string
  key?: string
  text?: string
  group?: string
  a?: { n: number }
  b?: { n: number }
  c?: { list: number[] }
}

/** What the writers know: what they asked for, and what of that they were told is done. */
interface Ledger {
  inserted: Set<string>
  removed: Set<string>
  asked: Map<string, number>
  told: Map<string, number>
  groups: Set<string>
}

/** Writes until the connection breaks. Each kind of write is one that half of would show. */
async function write(rows: Collection<Row>, writer: string, ledger: Ledger): Promise<void> {
  const counter = `counter-${writer}`
  for (let step = 0; ; step++) {
    const _id = `${writer}-${step}`
    await rows.insertOne({ _id, key: `key-${_id}`, text: 'x'.repeat(100) })
    ledger.inserted.add(_id)
    ledger.asked.set(counter, (ledger.asked.get(counter) ?? 0) + 1)
    const both = { $inc: { 'a.n': 1, 'b.n': 1 }, $push: { 'c.list': step } }
    await rows.findOneAndUpdate({ _id: counter }, both, { upsert: true })
    ledger.told.set(counter, (ledger.told.get(counter) ?? 0) + 1)
    await rows.insertMany(['p', 'q', 'r'].map(part => ({ _id: `group-${_id}-${part}`, group: _id })))
    ledger.groups.add(_id)
    if (step % 3 === 0) {
      ledger.inserted.delete(_id)
      await rows.deleteOne({ _id })
      ledger.removed.add(_id)
    }
  }
}

async function check(rows: Collection<Row>, ledger: Ledger): Promise<void> {
  const all = await rows.find().toArray()
  const ids = new Set(all.map(({ _id }) => _id))
  expect([...ledger.inserted].filter(_id => !ids.has(_id))).toEqual([])
  expect([...ledger.removed].filter(_id => ids.has(_id))).toEqual([])

  for (const [counter, asked] of ledger.asked) {
    const found = all.find(({ _id }) => _id === counter)
    const counted = found?.a?.n ?? 0
    expect(found?.b?.n ?? 0).toBe(counted)
    expect(found?.c?.list ?? []).toHaveLength(counted)
    expect(counted).toBeGreaterThanOrEqual(ledger.told.get(counter) ?? 0)
    expect(counted).toBeLessThanOrEqual(asked)
  }

  const groups = new Map<string, number>()
  for (const { group } of all) {
    if (group !== undefined) groups.set(group, (groups.get(group) ?? 0) + 1)
  }
  expect([...ledger.groups].filter(group => groups.get(group) !== 3)).toEqual([])
  expect([...groups.values()].filter(parts => parts !== 3)).toEqual([])

  const keyed = await rows
    // Along the index on `key`.
    .find({ key: { $gt: '' } })
    .map(({ _id }) => _id)
    .toArray()
  expect(keyed.toSorted()).toEqual(
    all
      .filter(({ key }) => key !== undefined)
      .map(({ _id }) => _id)
      .toSorted(),
  )
}

it(
  `${ROUNDS} times killed under load, it has every acknowledged write and no half of one`,
  async () => {
    const directory = await dataDirectory()
    const ledger: Ledger = {
      inserted: new Set(),
      removed: new Set(),
      asked: new Map(),
      told: new Map(),
      groups: new Set(),
    }
    for (let round = 0; round < ROUNDS; round++) {
      const database = await databaseProcess(directory)
      const client = new MongoClient(database.uri, { serverSelectionTimeoutMS: 500 })
      const rows = client.db('kill').collection<Row>('rows')
      if (round > 0) await check(rows, ledger)
      const exists = { partialFilterExpression: { key: { $exists: true } } }
      await rows.createIndex({ key: 1 }, { unique: true, ...exists })
      const before = ledger.inserted.size
      const writers = Array.from({ length: WRITERS }, (_, at) => write(rows, `${round}-${at}`, ledger))
      const settled = Promise.allSettled(writers)
      while (ledger.inserted.size < before + 100) await new Promise(resolve => setTimeout(resolve, 10))
      await new Promise(resolve => setTimeout(resolve, Math.random() * 300))
      await database.end('SIGKILL')
      const outcomes = await settled
      expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
      await client.close()
    }
    const database = await databaseProcess(directory)
    const client = new MongoClient(database.uri)
    await check(client.db('kill').collection<Row>('rows'), ledger)
    await client.close()
  },
  ROUNDS * 30_000,
)
