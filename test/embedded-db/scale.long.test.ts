import { Int32, MongoClient, ObjectId } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Collection } from '../../scripts/embedded-db/collection.js'
import { type EmbeddedDb, startEmbeddedDb } from '../../scripts/embedded-db/index.js'
import { readIndexSpec } from '../../scripts/embedded-db/index-spec.js'

const COUNT = 100_000
const SITES = 20

interface Row {
  _id: number
  site: string
  at: Date
  score: number
  words: string[]
}

let server: EmbeddedDb
let client: MongoClient

beforeAll(async () => {
  server = await startEmbeddedDb()
  client = new MongoClient(server.uri)
  const rows = collection()
  await rows.createIndexes([
    { key: { site: 1, at: -1, _id: -1 } },
    { key: { words: 1, at: -1 } },
    { key: { at: 1 } },
  ])
  for (let from = 0; from < COUNT; from += 10_000) {
    await rows.insertMany(Array.from({ length: 10_000 }, (_, at) => row(from + at)))
  }
})

afterAll(async () => {
  await client.close()
  await server.close()
})

const collection = () => client.db('scale').collection<Row>('rows')

function row(_id: number): Row {
  // A stride without a common divisor mixes the order of insertion.
  const place = (_id * 7919) % COUNT
  return {
    _id,
    site: `site-${place % SITES}`,
    at: new Date(place * 1000),
    score: place % 100,
    words: [`w${place % 500}`, `v${place % 300}`],
  }
}

async function effort(run: (rows: ReturnType<typeof collection>) => Promise<unknown>) {
  const { executionStats, queryPlanner } = (await run(collection())) as Record<
    string,
    Record<string, unknown>
  >
  return {
    returned: executionStats?.nReturned,
    keys: executionStats?.totalKeysExamined,
    documents: executionStats?.totalDocsExamined,
    sorts: JSON.stringify(queryPlanner?.winningPlan).includes('"SORT"'),
  }
}

describe('a hundred thousand documents', () => {
  it('answers equality, range and sort from the index, with no more than is returned', async () => {
    const page = await effort(rows =>
      rows
        .find({ site: 'site-3', at: { $lt: new Date(50_000_000) } })
        .sort({ at: -1, _id: -1 })
        .limit(50)
        .explain('executionStats'),
    )
    expect(page).toEqual({ returned: 50, keys: 50, documents: 50, sorts: false })
  })

  it('answers the page after a row as cheaply as the first', async () => {
    const last = { at: new Date(2_000_000), _id: 5 }
    const page = await effort(rows =>
      rows
        .find({
          site: 'site-0',
          $or: [{ at: { $lt: last.at } }, { at: last.at, _id: { $lt: last._id } }],
        })
        .sort({ at: -1, _id: -1 })
        .limit(50)
        .explain('executionStats'),
    )
    expect(page.returned).toBe(50)
    expect(page.keys).toBeLessThanOrEqual(51)
    expect(page.sorts).toBe(false)
  })

  it('finds by one element of an array, newest first', async () => {
    const page = await effort(rows =>
      rows.find({ words: 'w7' }).sort({ at: -1 }).limit(20).explain('executionStats'),
    )
    expect(page).toEqual({ returned: 20, keys: 20, documents: 20, sorts: false })
  })

  it('goes along the index that has fewest to read', async () => {
    const narrow = await effort(rows =>
      rows
        .find({ site: 'site-3', at: { $gte: new Date(0), $lt: new Date(20_000) } })
        .explain('executionStats'),
    )
    expect(narrow.returned).toBe(1)
    expect(narrow.keys).toBe(1)
  })

  it('sorts a few itself rather than look for them along the order', async () => {
    const page = await effort(rows =>
      rows.find({ words: 'w7' }).sort({ _id: -1 }).limit(20).explain('executionStats'),
    )
    expect(page).toMatchObject({ returned: 20, documents: 200, sorts: true })
  })

  it('looks along the order for what is frequent rather than sort it all', async () => {
    const page = await effort(rows =>
      rows.find({ site: 'site-3' }).sort({ _id: 1 }).limit(5).explain('executionStats'),
    )
    expect(page).toMatchObject({ returned: 5, sorts: false })
    expect(page.documents).toBeLessThan(500)
  })

  it('reads only the range for a leading $match and $sort of a pipeline', async () => {
    const counted = await collection()
      .aggregate([
        { $match: { site: 'site-1', at: { $gte: new Date(99_000_000) } } },
        { $group: { _id: '$site', n: { $sum: 1 } } },
      ])
      .explain('executionStats')
    const stats = (counted.stages as [{ $cursor: { executionStats: Record<string, unknown> } }])[0].$cursor
    expect(stats.executionStats.totalDocsExamined).toBe(50)
  })

  it('takes another document about as fast as an empty collection does', () => {
    const rows = new Collection('scale.direct', undefined)
    const key = { site: new Int32(1), at: new Int32(-1), _id: new Int32(-1) }
    rows.addIndex(readIndexSpec({ name: 'page', key }))
    const bytes = new Uint8Array(150)
    const insertSome = (from: number, count: number): number => {
      const started = process.cpuUsage()
      for (let at = from; at < from + count; at++) {
        const { site, at: date } = row(at)
        rows.insert({ _id: new ObjectId(), site, at: date }, bytes)
      }
      const { user, system } = process.cpuUsage(started)
      return (user + system) / count
    }
    insertSome(0, 2_000)
    const early = Math.min(...[2, 4, 6].map(thousands => insertSome(thousands * 1000, 2_000)))
    insertSome(8_000, 92_000)
    const late = Math.min(...[100, 102, 104].map(thousands => insertSome(thousands * 1000, 2_000)))
    // A list kept in order by shifting it would be some fifty times slower by now.
    expect(late / early).toBeLessThan(6)
  })
})
