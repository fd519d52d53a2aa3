import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, MongoClient, ObjectId } from 'mongodb'
import { expect, it, onTestFinished, vi } from 'vitest'
import { closeDatabase } from '../../lib/db/client.js'
import { recomputeUsage } from '../../lib/domain/usage/usage-recompute.js'
import { sweepUsage } from '../../lib/domain/usage/usage-settlement.js'
import { type DevProcess, startDev } from '../scripts/support/dev-process.js'

const ROOT = join(import.meta.dirname, '..', '..')
const ADMIN_TOKEN = 'journey-admin-token-'.padEnd(64, '0')
const SOAK = process.env.SOAK === '1'
const KILLS = SOAK ? 5 : 1
const CALLS = SOAK ? 250 : 10
const POSTS_A_CALL = 8
const CLIENTS = 12
const HOUR_MS = 60 * 60 * 1000

/** Starts what `npm run dev` starts, over a data directory that the test removes. */
function developmentServers() {
  const directory = mkdtempSync(join(tmpdir(), 'leadline-calls-'))
  let running: DevProcess | undefined
  onTestFinished(async () => {
    await running?.end('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const database = { MONGO_URI: '', MONGODB_URI: '', DATA_STORE: 'file', DATA_DIRECTORY: directory }
  const variables = { ...database, ADMIN_TOKEN, RATE_LIMIT_SCALE: '1000', LOG_LEVEL: 'error' }
  return {
    async start() {
      running = await startDev(ROOT, variables)
      return running
    },
    uri: () => readFileSync(join(directory, 'db.uri'), 'utf8'),
  }
}

async function send<T>(url: string, path: string, token: string, body: unknown): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  })
  const answer = await response.json()
  if (!response.ok) throw Object.assign(new Error(JSON.stringify(answer)), { status: response.status })
  return answer as T
}

/** An hour ago, or where that was another month, since this one began. */
const now = new Date()
const start = Math.max(now.getTime() - HOUR_MS, Date.UTC(now.getUTCFullYear(), now.getUTCMonth()) + 60_000)

/** The calls of a user: turns, then how it ended. */
function postsOf(userId: string): object[] {
  return Array.from({ length: CALLS }, (_, n) =>
    Array.from({ length: POSTS_A_CALL }, (_, i) => {
      const sessionId = `${userId}/${n}`
      const base = {
        userId,
        sessionId,
        phoneNumber: '+919876501234',
        at: start + i * 1000,
        duration: i + n / 10,
      }
      const isLast = i === POSTS_A_CALL - 1
      if (isLast) return { ...base, callSid: `CA-${sessionId}`, status: n % 5 ? 'completed' : 'failed' }
      const said = { userMessage: `question ${i}`, aiResponse: `answer ${i}`, metadata: { ttsTime: i * 10 } }
      return { ...base, ...said, ...(n % 2 && { turnId: i }) }
    }),
  ).flat()
}

/** In an order that is another one each time, a third of them twice. */
function shuffledWithRedeliveries(posts: readonly object[]): object[] {
  const all = [...posts, ...posts.filter((_, i) => i % 3 === 0)]
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[all[i], all[j]] = [all[j] as object, all[i] as object]
  }
  return all
}

/** Everything stored of a user's calls, but for ids and the times of writing. */
async function storedOf(db: Db, id: string) {
  const userId = new ObjectId(id)
  const nameless = (sessionId: string) => sessionId.replace(id, '')
  const calls = await db.collection('conversations').find({ userId }).sort({ sessionId: 1 }).toArray()
  const turns = await db
    .collection('conversationturns')
    .find({ userId })
    .sort({ sessionId: 1, at: 1 })
    .toArray()
  const periods = await db.collection('usageperiods').find({ userId }).toArray()
  return {
    calls: calls.map(({ _id, userId, createdAt, updatedAt, latestTurn, sessionId, callSid, ...call }) => ({
      ...call,
      sessionId: nameless(sessionId),
      callSid: nameless(callSid),
      latestAt: latestTurn.at,
    })),
    turns: turns.map(({ _id, userId, createdAt, sessionId, ...turn }) => ({
      ...turn,
      sessionId: nameless(sessionId),
    })),
    usage: periods.map(({ periodId, calls, seconds }) => ({ periodId, calls, seconds })),
  }
}

it(`${CALLS * POSTS_A_CALL} posts of calls, shuffled, a third redelivered, through ${KILLS} kill(s) end as clean ones do`, {
  timeout: SOAK ? 1_200_000 : 240_000,
}, async () => {
  const { start, uri } = developmentServers()
  let server = await start()
  const register = async (email: string) => {
    const body = { email, password: 'correct horse battery' }
    return (await send<{ user: { id: string } }>(server.url, '/api/auth/register', '', body)).user.id
  }
  const [clean, crashed] = [await register('clean@example.com'), await register('crashed@example.com')]
  const made = await send<{ data: { key: string } }>(server.url, '/api/api-keys', ADMIN_TOKEN, {
    scopes: ['calls:write'],
  })
  const { key } = made.data
  for (const post of postsOf(clean)) await send(server.url, '/api/conversations', key, post)

  const stream = shuffledWithRedeliveries(postsOf(crashed))
  const killAt = Array.from({ length: KILLS }, (_, i) => Math.floor((stream.length * (i + 1)) / (KILLS + 1)))
  let next = 0
  let restarting: Promise<void> | undefined
  let kills = 0
  const restart = async () => {
    await server.end('SIGKILL')
    kills++
    server = await start()
    restarting = undefined
  }
  /** Goes on sending a post until it is acknowledged, as the voice agent does. */
  const deliver = async (post: object) => {
    for (;;) {
      try {
        return await send(server.url, '/api/conversations', key, post)
      } catch (error) {
        const { status } = error as { status?: number }
        if (status !== undefined && status !== 503) throw error
        await (restarting ?? sleep(20))
      }
    }
  }
  const client = async () => {
    while (next < stream.length) {
      const post = stream[next++]
      // In the middle of what the other clients have under way.
      if (killAt.includes(next)) restarting = restart()
      if (post) await deliver(post)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  await restarting
  expect(kills).toBe(KILLS)

  const beside = await MongoClient.connect(uri())
  onTestFinished(() => beside.close())
  const db = beside.db('leadline')
  const [expected, actual] = [await storedOf(db, clean), await storedOf(db, crashed)]
  expect(expected.calls).toHaveLength(CALLS)
  expect(expected.turns).toHaveLength(CALLS * (POSTS_A_CALL - 1))
  for (const one of expected.calls) expect(Object.keys(one)).toContain('metered')
  for (const one of expected.calls) expect(Object.keys(one)).not.toContain('meteringPending')
  expect(actual).toEqual(expected)

  // What the usage keeps of calls that are over is dropped hours later; then the calls alone say what was used.
  vi.stubEnv('MONGO_URI', `${uri().replace(/\/$/, '')}/leadline`)
  onTestFinished(closeDatabase)
  for (const hours of [2, 4]) await sweepUsage(new Date(Date.now() + hours * HOUR_MS))
  const later = new Date(Date.now() + 5 * HOUR_MS)
  for (const id of [clean, crashed])
    expect(await recomputeUsage(new ObjectId(id), new Date(0), later)).toEqual({ metered: 0, mended: [] })
  expect(await storedOf(db, crashed)).toEqual(expected)
  expect(await db.collection('usageperiods').distinct('open')).toEqual([{}])
})
