import type { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { saveConversation } from '../../../lib/domain/calls/conversation-ingest.js'
import { ConversationInput } from '../../../lib/domain/calls/conversation-input.js'
import { meterPendingCalls } from '../../../lib/domain/calls/conversation-metering.js'
import { emptyDatabase, firstWritesAtOnce, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { turnPost } from '../../support/fixtures/calls.js'
import { createTestUser } from '../../support/users.js'

const AT_ONCE = await firstWritesAtOnce()

const NOW = new Date('2026-11-22T12:00:00.000Z')
const LATER = new Date('2026-11-22T12:05:00.000Z')
const at = (seconds: number) => new Date(NOW.getTime() - 600_000 + seconds * 1000)

const db = () => testDatabase().db
let userId: ObjectId
beforeEach(async () => {
  await emptyDatabase()
  userId = (await createTestUser()).user._id
})

/** As the route has it, which is by way of JSON. */
const save = (post: object, now = NOW) => {
  const body = JSON.parse(JSON.stringify({ userId: String(userId), ...post }))
  return saveConversation(ConversationInput.parse(body), {}, now)
}

/** The posts of a call that goes on for so many turns and is over. */
function postsOf(sessionId: string, turns: number): object[] {
  const talk = Array.from({ length: turns }, (_, i) =>
    turnPost({ sessionId, at: at(i), duration: i, userMessage: `turn ${i}`, callSid: `CA-${sessionId}` }),
  )
  const failed = { sessionId, status: 'failed', at: at(turns), duration: turns }
  const completed = { sessionId, status: 'completed', at: at(turns), duration: turns + 2.5 }
  return [...talk, failed, completed]
}

/** Everything that is stored of calls and usage; ids that the database gives and the times of writing left out. */
async function stored() {
  const unstable = { projection: { _id: 0, updatedAt: 0, createdAt: 0 } }
  const [calls, turns, periods] = await Promise.all([
    db().collection('conversations').find({}, unstable).sort({ sessionId: 1 }).toArray(),
    db()
      .collection('conversationturns')
      .find({}, { projection: { createdAt: 0 } })
      .sort({ _id: 1 })
      .toArray(),
    db()
      .collection('usageperiods')
      .find({}, { projection: { calls: 1, seconds: 1 } })
      .toArray(),
  ])
  return { calls, turns, periods }
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state
  }
  return items
    .map(item => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

async function clear() {
  for (const name of ['conversations', 'conversationturns', 'usageperiods'])
    await db().collection(name).deleteMany({})
}

describe('the posts of a call', () => {
  it('end in the same call and the same usage in any order, each any number of times', async () => {
    const posts = postsOf('s', 6)
    for (const post of posts) await save(post)
    const clean = await stored()
    expect(clean).toMatchObject({
      calls: [
        {
          status: 'completed',
          duration: 9,
          startedAt: at(-2.5),
          endedAt: at(6),
          userMessage: 'turn 5',
          metered: { calls: 1, seconds: 9 },
        },
      ],
      periods: [{ calls: 1, seconds: 9 }],
    })
    expect(clean.calls[0]).not.toHaveProperty('meteringPending')
    expect(clean.turns).toHaveLength(6)

    for (let seed = 1; seed <= 8; seed++) {
      await clear()
      for (const post of shuffled([...posts, ...posts.slice(seed % 5)], seed)) await save(post)
      expect(await stored(), `seed ${seed}`).toEqual(clean)
    }
  })

  it('at the same time end so too, and one of them made the call', AT_ONCE, async () => {
    const posts = postsOf('s', 30)
    for (const post of posts) await save(post)
    const clean = await stored()
    await clear()

    const saved = await Promise.all([...posts, ...posts.slice(10)].map(post => save(post)))

    expect(saved.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(await stored()).toEqual(clean)
  })

  it('without a time are in the order of their arrival, and stay so when they come again', async () => {
    const said = (userMessage: string, seconds: number) =>
      save(turnPost({ sessionId: 's', userMessage }), new Date(NOW.getTime() + seconds * 1000))
    for (const [i, message] of ['a', 'b', 'c'].entries()) await said(message, i)
    const before = await stored()
    expect(before.calls).toMatchObject([{ userMessage: 'c', startedAt: NOW }])

    await Promise.all(['b', 'a', 'c', 'a'].map((message, i) => said(message, 60 + i)))

    expect(await stored()).toEqual(before)
  })

  it('after the end of a call without times end it no later', async () => {
    const over = { sessionId: 's', status: 'completed', duration: 3 }
    await save(over)
    await save(over, LATER)
    expect((await stored()).calls).toMatchObject([{ endedAt: NOW, duration: 3 }])
  })
})

describe('a callSid', () => {
  it('is one call’s, whoever is faster', async () => {
    const sessions = Array.from({ length: 20 }, (_, i) => turnPost({ sessionId: `s${i}`, callSid: 'CA1' }))
    const outcomes = await Promise.allSettled(sessions.map(post => save(post)))

    const refused = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
    expect(refused).toHaveLength(19)
    for (const reason of refused) expect(reason).toMatchObject({ code: 'conflict' })
    const { calls, turns } = await stored()
    expect(calls).toHaveLength(1)
    expect(turns.map(({ sessionId }) => sessionId)).toEqual([calls[0]?.sessionId])
  })

  it('is the call’s also where its posts make the call at the same time', async () => {
    const post = turnPost({ sessionId: 's', callSid: 'CA1' })
    const saved = await Promise.all(Array.from({ length: 20 }, () => save(post)))
    expect(saved.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect((await stored()).turns).toHaveLength(1)
  })
})

describe('a crash', () => {
  const last = turnPost({ sessionId: 's', status: 'completed', duration: 9, userMessage: 'Bye' })

  it.each([
    ['the first post', []],
    ['the last post', [turnPost({ sessionId: 's', duration: 4 })]],
  ])('after any write of %s is mended by the retry', async (_, before) => {
    for (const post of [...before, last]) await save(post)
    const clean = await stored()
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await clear()
      for (const post of before) await save(post)

      ended = await crashAfterWrites(writes, () => save(last))
      await save(last)

      expect(await stored(), `after ${writes} writes`).toEqual(clean)
    }
  })

  it('after the call is written leaves nothing unmetered for longer than until maintenance', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await clear()
      ended = await crashAfterWrites(writes, () => save(last))
      const isStored = (await stored()).calls.length === 1

      expect(await meterPendingCalls(new Date(NOW.getTime() + 30_000))).toBe(0)
      await meterPendingCalls(LATER)
      expect(await meterPendingCalls(LATER)).toBe(0)

      const { calls, periods } = await stored()
      if (!isStored) continue
      expect(calls, `after ${writes} writes`).toMatchObject([{ metered: { calls: 1, seconds: 9 } }])
      expect(periods).toMatchObject([{ calls: 1, seconds: 9 }])
    }
  })
})

it('a call that moves on while it is metered is not said to be metered as it was', async () => {
  const over = (duration: number) => ({ sessionId: 's', status: 'completed', duration })
  for (let writes = 0, paused = true; paused; writes++) {
    await clear()
    const slow = await pauseAfterWrites(writes, () => save(over(30)))
    await crashAfterWrites(1, () => save({ ...over(40), userMessage: 'x' }))
    await slow.finish()
    paused = slow.paused
    await meterPendingCalls(LATER)

    const { calls, periods } = await stored()
    expect(calls, `after ${writes} writes`).toMatchObject([
      { metered: { calls: 1, seconds: calls[0]?.duration } },
    ])
    expect(periods).toMatchObject([{ calls: 1, seconds: calls[0]?.duration }])
  }
})

it('a call’s document grows with none of its turns', async () => {
  const turns = process.env.SOAK ? 20_000 : 200
  const say = (turnId: number) => save({ sessionId: 's', turnId, userMessage: 'x'.repeat(20_000) })
  const size = async () => JSON.stringify(await db().collection('conversations').findOne()).length
  await say(0)
  const first = await size()
  for (let i = 0; i < turns; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => say(i + j)))

  expect(await db().collection('conversationturns').countDocuments()).toBe(turns)
  expect(await size()).toBe(first)
}, 600_000)
