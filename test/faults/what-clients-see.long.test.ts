import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { database } from '../../lib/db/client.js'
import { ANSWER_WITHIN_MS } from '../../lib/http/serve.js'
import { testDatabase } from '../support/database.js'
import { startReplicaSet } from '../support/replica-set.js'
import { startTcpProxy } from '../support/tcp-proxy.js'
import { startWireProxy, type WireReply } from '../support/wire-proxy.js'
import { CLIENTS, type Client, type Clients, forEachClient, isServed, startClients } from './clients.js'
import { table } from './table.js'

const SOAK = process.env.SOAK === '1'
/** What each answer of a slow database takes; a request asks it up to thirty times, one after the other. */
const SLOW_MS = SOAK ? 5_000 : 100
/** Of `lib/db/client.ts`. */
const POOL_SIZE = 10

/** A way to the database with one thing that can be wrong with it. */
interface Way {
  uri: string
  begin(): Promise<void> | void
  end(): Promise<void> | void
  close(): Promise<void>
}

interface Fault {
  name: string
  /** Whether the instance has asked the database before. */
  isWarm: boolean
  way(): Promise<Way> | Way
  /**
   * Who gets what it asks for nevertheless, beside the widget's configuration; undefined where it depends on chance.
   */
  served?: readonly Client[]
  /** Who is answered that a part of it failed. */
  told?: readonly Client[]
  /** Another test asks some clients of it: left to the soak. */
  isElsewhere?: true
  /** What a client waits at most, in milliseconds. */
  patienceMs: number
}

const behind = () => testDatabase().uri
const writes = new Set(['insert', 'update', 'delete', 'findAndModify', 'createIndexes'])

async function socket(fault: 'refuse' | 'stall'): Promise<Way> {
  const proxy = await startTcpProxy(behind())
  const { uri, restore, close } = proxy
  return { uri, begin: () => proxy[fault](), end: restore, close: () => restore().then(close) }
}

async function election(seconds: number | undefined): Promise<Way> {
  const set = await startReplicaSet(behind())
  return {
    uri: set.uri,
    begin() {
      set.stepDown()
      if (seconds !== undefined) setTimeout(set.elect, seconds * 1000)
    },
    end: seconds === undefined ? set.elect : () => {},
    close: set.close,
  }
}

/** A database that does this with commands while something is wrong with it. */
async function answering(
  fault: (name: string, target: unknown) => Promise<WireReply | 'forward'>,
  begin: () => Promise<void> = async () => {},
): Promise<Way> {
  let isWrong = false
  const proxy = await startWireProxy(behind(), async ({ name, target }, forward) => {
    const reply = isWrong && !/^(hello|ismaster)$/i.test(name) ? await fault(name, target) : 'forward'
    return reply === 'forward' ? forward() : reply
  })
  return {
    uri: proxy.uri,
    async begin() {
      isWrong = true
      await begin()
    },
    end() {
      isWrong = false
    },
    close: proxy.close,
  }
}

async function slow(): Promise<Way> {
  return answering(async () => {
    await new Promise(resolve => setTimeout(resolve, SLOW_MS))
    return 'forward'
  })
}

/** Somebody else's questions hold every connection of the pool. */
async function fullPool(): Promise<Way> {
  let release = () => {}
  const released = new Promise<void>(resolve => {
    release = resolve
  })
  let held = 0
  const way = await answering(
    async (_, target) => {
      if (target === 'held') {
        held += 1
        await released
      }
      return 'forward'
    },
    async () => {
      const db = await database()
      for (let i = 0; i < POOL_SIZE; i++)
        db.collection('held')
          .findOne()
          // It may not be answered before the deployment is over.
          .catch(() => {})
      await expect.poll(() => held, { timeout: 10_000 }).toBe(POOL_SIZE)
    },
  )
  return { ...way, end: release }
}

const fullDisk = () =>
  answering(async name =>
    writes.has(name)
      ? { ok: 0, code: 14031, codeName: 'OutOfDiskSpace', errmsg: 'no space left' }
      : 'forward',
  )

/** Calls and users that nobody can tell apart, so that the unique indexes cannot be made. */
function brokenIndexes(): Way {
  const { db, uri } = testDatabase()
  const keys = { conversations: 'sessionId', users: 'email' }
  return {
    uri,
    async begin() {
      for (const [name, key] of Object.entries(keys)) {
        await db.collection(name).dropIndex(key)
        await db.collection(name).insertMany([{ [key]: 'twice' }, { [key]: 'twice' }])
      }
    },
    async end() {
      for (const [name, key] of Object.entries(keys)) await db.collection(name).deleteMany({ [key]: 'twice' })
    },
    async close() {},
  }
}

const everybody = CLIENTS.filter(client => client !== 'config')

const faults: Fault[] = [
  { name: 'away, cold', isWarm: false, way: () => socket('refuse'), served: [], patienceMs: 3_000 },
  {
    isElsewhere: true,
    name: 'away, warm',
    isWarm: true,
    way: () => socket('refuse'),
    served: [],
    patienceMs: 3_000,
  },
  {
    isElsewhere: true,
    name: 'silent, cold',
    isWarm: false,
    way: () => socket('stall'),
    served: [],
    patienceMs: 3_000,
  },
  { name: 'silent, warm', isWarm: true, way: () => socket('stall'), served: [], patienceMs: 10_000 },
  {
    name: `slow by ${SLOW_MS / 1000} s`,
    isWarm: true,
    way: slow,
    ...(SOAK ? { patienceMs: ANSWER_WITHIN_MS + 500 } : { served: everybody, patienceMs: 4_000 }),
  },
  { name: 'election of 1 s', isWarm: true, way: () => election(1), served: everybody, patienceMs: 5_000 },
  { name: 'no primary', isWarm: true, way: () => election(undefined), served: [], patienceMs: 5_000 },
  { name: 'pool full', isWarm: true, way: fullPool, served: [], patienceMs: 5_000 },
  {
    name: 'no unique index',
    isWarm: false,
    way: brokenIndexes,
    served: ['capture', 'event', 'list', 'admission', 'webhook'],
    told: ['cron'],
    patienceMs: 3_000,
  },
  { name: 'disk full', isWarm: true, way: fullDisk, served: [], patienceMs: 1_500 },
]

/** After the fault is over, the longest until everybody is served again: the pause of a monitor and what follows. */
const RECOVERY_MS = 5_000

const seen = new Map<string, Record<Client, string>>()
const recovered = new Map<string, Record<Client, string>>()
let clients: Clients
let way: Way

beforeEach(async () => {
  clients = await startClients()
})

afterEach(async () => {
  await way.end()
  await clients.close()
  await way.close()
})

afterAll(() => {
  console.log(table('status, ms', seen))
  console.log(table('served again after ms', recovered))
})

it.each(faults.filter(({ isElsewhere }) => SOAK || !isElsewhere))(
  '$name: nobody meets a 500 or waits for long, and nothing is lost or done twice',
  {
    timeout: 60_000 + 30 * SLOW_MS,
  },
  async ({ name, isWarm, way: start, served, told = [], patienceMs }) => {
    way = await start()
    await clients.deploy(way.uri)
    if (isWarm)
      for (const client of ['config', 'list'] as const) expect((await clients.ask(client)).status).toBe(200)
    await way.begin()

    const answers = await clients.askAll()

    seen.set(
      name,
      await forEachClient(async client => `${answers[client].status} ${answers[client].milliseconds}`),
    )
    for (const client of CLIENTS) {
      const { status, headers, text, milliseconds } = answers[client]
      expect(milliseconds, client).toBeLessThan(patienceMs)
      expect(text, client).not.toMatch(/Mongo|ECONN|127\.0\.0\.1|not primary|no space/)
      if (isServed(client, answers[client])) continue
      expect(status, client).toBe(told.includes(client) ? 200 : 503)
      if (status === 200) continue
      expect(Number(headers.get('retry-after')), client).toBeGreaterThan(0)
    }
    if (served)
      expect(CLIENTS.filter(client => isServed(client, answers[client]))).toEqual(['config', ...served])
    expect(answers.config.milliseconds).toBeLessThan(isWarm ? 1_800 : 3_000)

    await way.end()
    const after = await clients.recover()
    recovered.set(name, await forEachClient(async client => String(after[client])))
    expect(Math.max(...Object.values(after))).toBeLessThan(RECOVERY_MS)
    await clients.expectOnce()
  },
)
