import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, MongoClient } from 'mongodb'
import { expect, it, onTestFinished, vi } from 'vitest'
import { type Child, run } from '../embedded-db/support/child-process.js'
import { type DevProcess, startDev } from '../scripts/support/dev-process.js'
import { startTcpProxy } from '../support/tcp-proxy.js'

const ROOT = join(import.meta.dirname, '..', '..')
const ADMIN_TOKEN = 'faults-admin-token-'.padEnd(64, '0')
const SOAK = process.env.SOAK === '1'
const EACH = SOAK ? 400 : 25
const KILLS = SOAK ? 8 : 1
const CLIENTS = 12
const DAY_MS = 24 * 60 * 60 * 1000

interface Post {
  path: string
  body: object
}

/** Leads, events and the turns of calls that are over, in one stream. */
function postsOf(userId: string): Post[] {
  return Array.from({ length: EACH }, (_, n) => {
    const conversation = [{ id: `m${n}`, type: 'user', text: 'Hello', timestamp: 1 }]
    const call = {
      userId,
      sessionId: `CA${n}`,
      phoneNumber: '+919876501234',
      status: 'completed',
      duration: n,
    }
    return [
      { path: '/api/leads', body: { microsite: 'site', phone: String(9_811_100_000 + n), conversation } },
      { path: '/api/events', body: { type: 'chat_shown', projectId: 'site', id: `e${n}` } },
      { path: '/api/conversations', body: { ...call, userMessage: 'Hm?', aiResponse: 'Yes.', turnId: 1 } },
    ]
  }).flat()
}

/** Posts each until it is acknowledged, a third of them once more, and has something killed in the middle of that. */
async function deliverThroughKills(
  url: () => string,
  posts: readonly Post[],
  kill: () => Promise<void>,
): Promise<{ statuses: Set<number>; outagesMs: number[] }> {
  const stream = [...posts, ...posts.filter((_, i) => i % 3 === 0)]
  const killAt = Array.from({ length: KILLS }, (_, i) => Math.floor((posts.length * (i + 1)) / (KILLS + 1)))
  const statuses = new Set<number>()
  const outagesMs: number[] = []
  let killing: Promise<void> | undefined
  let killedAt = 0
  let next = 0

  async function deliver({ path, body }: Post): Promise<void> {
    for (;;) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_TOKEN}` }
      const request = { method: 'POST', headers, body: JSON.stringify(body) }
      // Of a server that is killed, no answer comes.
      const status = await fetch(`${url()}${path}`, request).then(
        async response => (await response.text()) && response.status,
        () => undefined,
      )
      if (status) statuses.add(Number(status))
      if (Number(status) < 300) {
        if (killedAt && !killing) {
          outagesMs.push(Math.round(performance.now() - killedAt))
          killedAt = 0
        }
        return
      }
      await sleep(20)
    }
  }
  async function client(): Promise<void> {
    for (let post = stream[next++]; post; post = stream[next++]) {
      if (killAt[0] !== undefined && next >= killAt[0] && !killing) {
        killAt.shift()
        killing = kill().finally(() => {
          killedAt = performance.now()
          killing = undefined
        })
      }
      await deliver(post)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return { statuses, outagesMs }
}

/** The database has each of them once, and counts each once after what maintenance does. */
async function expectEachOnce(db: Db, uri: string): Promise<void> {
  vi.stubEnv('MONGO_URI', uri)
  vi.resetModules()
  const [{ closeDatabase }, { followUpPending }, { recount }] = await Promise.all([
    import('../../lib/db/client.js'),
    import('../../lib/domain/leads/lead-follow-up.js'),
    import('../../lib/domain/events/recount.js'),
  ])
  onTestFinished(closeDatabase)
  const now = Date.now()
  await followUpPending(new Date(now + 120_000))
  for (const day of [now, now - DAY_MS]) await recount(new Date(Math.floor(day / DAY_MS) * DAY_MS))

  const names = ['leads', 'chatsessions', 'events', 'conversations', 'conversationturns']
  const sizes = await Promise.all(names.map(name => db.collection(name).countDocuments()))
  expect(sizes).toEqual(names.map(() => EACH))
  const counts = await db.collection('eventcounts').find().toArray()
  const sums = new Map<string, number>()
  for (const { _id, count } of counts) {
    const { type } = _id as unknown as { type: string }
    sums.set(type, (sums.get(type) ?? 0) + count)
  }
  expect(Object.fromEntries(sums)).toEqual({ chatsShown: EACH, leadsCaptured: EACH })
  const [usage, ...others] = await db.collection('usageperiods').find().toArray()
  expect(others).toEqual([])
  expect(usage).toMatchObject({ calls: EACH, seconds: (EACH * (EACH - 1)) / 2 })
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'leadline-faults-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function register(url: string): Promise<string> {
  const body = JSON.stringify({ email: 'asha@example.com', password: 'correct horse battery' })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}/api/auth/register`, { method: 'POST', headers, body })
  return ((await answer.json()) as { user: { id: string } }).user.id
}

const variables = { ADMIN_TOKEN, BCRYPT_COST: '4', RATE_LIMIT_SCALE: '1000', LOG_LEVEL: 'silent' }
const PATIENCE = { timeout: SOAK ? 1_200_000 : 180_000 }

it(
  `a server killed ${KILLS} time(s) under load loses nothing and counts nothing twice`,
  PATIENCE,
  async () => {
    const data = directory()
    const database = { MONGO_URI: '', MONGODB_URI: '', DATA_STORE: 'file', DATA_DIRECTORY: data }
    let server: DevProcess = await startDev(ROOT, { ...database, ...variables })
    onTestFinished(async () => void (await server.end('SIGKILL')))
    const posts = postsOf(await register(server.url))

    const { outagesMs } = await deliverThroughKills(
      () => server.url,
      posts,
      async () => {
        await server.end('SIGKILL')
        server = await startDev(ROOT, { ...database, ...variables })
      },
    )

    expect(outagesMs).toHaveLength(KILLS)
    await server.end('SIGTERM')
    const beside = await embeddedDatabase(join(data, 'db'), 0)
    await expectStored(beside.uri)
  },
)

it(
  `a database killed ${KILLS} time(s) under load, and the server that stays: the same`,
  PATIENCE,
  async () => {
    const data = directory()
    let database = await embeddedDatabase(data, 0)
    const port = Number(new URL(database.uri).port)
    const proxy = await startTcpProxy(`${database.uri}leadline`)
    onTestFinished(proxy.close)
    const server = await startDev(ROOT, { MONGO_URI: proxy.uri, ...variables })
    onTestFinished(async () => void (await server.end('SIGKILL')))
    const posts = postsOf(await register(server.url))

    const { statuses, outagesMs } = await deliverThroughKills(
      () => server.url,
      posts,
      async () => {
        await database.end('SIGKILL')
        database = await embeddedDatabase(data, port)
      },
    )

    console.log(`served again ${outagesMs.join(', ')} ms after the killed database was back`)
    expect(outagesMs).toHaveLength(KILLS)
    expect([...statuses].filter(status => status >= 400 && status !== 503)).toEqual([])
    await server.end('SIGTERM')
    await expectStored(database.uri)
  },
)

async function embeddedDatabase(data: string, port: number): Promise<Pick<Child, 'uri' | 'end'>> {
  const child = run('test/embedded-db/support/serve.ts', [data, String(port)])
  const [, uri = ''] = await child.said(/^db (\S+)$/m)
  return { uri, end: child.end }
}

async function expectStored(uri: string): Promise<void> {
  const beside = await MongoClient.connect(uri)
  onTestFinished(() => beside.close())
  await expectEachOnce(beside.db('leadline'), `${uri}leadline`)
}
