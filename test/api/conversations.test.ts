import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import admitRoute from '../../api/calls/admit.js'
import conversationsRoute from '../../api/conversations/index.js'
import { createApiKey } from '../../lib/domain/accounts/api-keys.js'
import type { Admission } from '../../lib/domain/calls/admission.js'
import type { SavedConversation } from '../../lib/domain/calls/conversation-ingest.js'
import { assignPhoneNumber } from '../../lib/domain/phones/phone-assignments.js'
import { addPhoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { oldConversation, turnPost } from '../support/fixtures/calls.js'
import type { Wire } from '../support/fixtures/wire.js'
import { adminToken, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

const NUMBER = '+918047101234'

interface Saved {
  success: boolean
  data: Wire<SavedConversation>
  error?: string
  details?: ErrorDetail[]
}

interface Admitted {
  data: Admission
}

const post = (body: unknown, token = adminToken()) =>
  call<Saved>(conversationsRoute, 'POST', '/api/conversations', { body, token })

const admit = (body: unknown, token: string) =>
  call<Admitted>(admitRoute, 'POST', '/api/calls/admit', { body, token })

const calls = () => testDatabase().db.collection('conversations')
const turns = () => testDatabase().db.collection('conversationturns')
const turnsOf = (sessionId: string) => turns().find({ sessionId }).sort({ at: 1, _id: 1 }).toArray()

/** A user with a number, and a key of the deployment. */
async function settleIn() {
  const { user } = await createTestUser()
  await addPhoneNumbers([{ phoneNumber: NUMBER }], new Date())
  await assignPhoneNumber(user._id, NUMBER, new Date())
  const { key } = await createApiKey({ scopes: ['calls:write'] }, undefined, new Date())
  return { userId: user._id, id: String(user._id), key }
}

/** Moments of a call that goes on now. */
const start = Date.now() - 60 * 60_000
const at = (seconds: number) => new Date(start + seconds * 1000)

trackBackgroundTasks()
beforeEach(emptyDatabase)

describe('a post of a call', () => {
  it('makes the call, and each later one moves it on', async () => {
    const { id, userId, key } = await settleIn()
    const first = turnPost({ userId: id, callSid: 'CA1', at: at(0), duration: 0, userMessage: 'Hello' })
    const { sessionId } = first

    const made = await post(first, key)
    const moved = await post(turnPost({ userId: id, sessionId, at: at(9), duration: 9.2 }), key)
    const ended = await post({ userId: id, sessionId, status: 'completed', duration: 30, at: at(30) }, key)

    expect([made, moved, ended].map(({ status }) => status)).toEqual([201, 200, 200])
    expect(made.body).toMatchObject({ success: true, data: { sessionId, userId: id, status: 'processing' } })
    expect(ended.body.data).toEqual({
      ...made.body.data,
      status: 'completed',
      startedAt: moved.body.data.startedAt,
      endedAt: at(30).toISOString(),
      duration: 30,
    })
    expect(await calls().find().toArray()).toMatchObject([
      {
        userId,
        callSid: 'CA1',
        phoneNumber: '+919876501234',
        userMessage: 'Do you have a flat by the lake?',
        startedAt: new Date(at(9).getTime() - 9_200),
        duration: 30,
        metered: { calls: 1, seconds: 30 },
      },
    ])
    expect(await calls().findOne()).not.toHaveProperty('meteringPending')
    expect((await turnsOf(sessionId)).map(turn => [turn.userMessage, turn.at])).toEqual([
      ['Hello', at(0)],
      ['Do you have a flat by the lake?', at(9)],
    ])
  })

  it.each([
    ['an id', { turnId: 't1' }],
    ['an id that is a number', { turnId: 1 }],
    ['nothing but its content', {}],
    ['its content and a time', { at: at(1).toISOString() }],
    ['its content and a time in milliseconds', { at: at(1).getTime() }],
    ['a time that cannot be right', { at: '2001-01-01T00:00:00Z' }],
  ])('with %s is one turn however often it comes, and does not become the latest again', async (_, own) => {
    const { id } = await settleIn()
    const one = turnPost({ userId: id, ...own })
    const { sessionId } = one
    await post(one)
    await post(turnPost({ userId: id, sessionId, userMessage: 'And later?', turnId: 2 }))
    const before = [await calls().findOne({}, { projection: { updatedAt: 0 } }), await turnsOf(sessionId)]

    expect((await post(one)).status).toBe(200)

    expect([await calls().findOne({}, { projection: { updatedAt: 0 } }), await turnsOf(sessionId)]).toEqual(
      before,
    )
    expect(before[0]).toMatchObject({ userMessage: 'And later?' })
    expect(before[1]).toHaveLength(2)
  })

  it('that says the same later in the call is another turn', async () => {
    const { id } = await settleIn()
    const yes = turnPost({ userId: id, userMessage: 'Yes', aiResponse: 'Fine.', duration: 10 })
    await post(yes)
    await post({ ...yes, duration: 20 })
    await post({ ...yes, turnId: 'third' })
    await post({ ...yes, metadata: { ttsTime: 31 } })
    expect(await turnsOf(yes.sessionId)).toHaveLength(4)
  })

  it('with neither words nor audio is no turn', async () => {
    const { id } = await settleIn()
    const { sessionId } = turnPost()
    const silent = {
      userId: id,
      sessionId,
      status: 'failed',
      userMessage: ' ',
      aiResponse: null,
      audioUrl: '',
    }
    expect((await post(silent)).status).toBe(201)
    expect(await turns().countDocuments()).toBe(0)
    expect(await calls().findOne()).toMatchObject({ status: 'failed', metered: { calls: 0, seconds: 0 } })
  })

  it('with audio alone is a turn that hides no words', async () => {
    const { id } = await settleIn()
    const words = turnPost({ userId: id, at: at(1) })
    await post(words)
    const { sessionId } = words
    await post({ userId: id, sessionId, at: at(2), audioUrl: 'https://media.example/a.mp3' })
    expect(await turnsOf(sessionId)).toMatchObject([{}, { audioUrl: 'https://media.example/a.mp3' }])
    expect(await calls().findOne()).toMatchObject({ aiResponse: 'We have two.' })
  })

  it('of a turn without an answer leaves none of the turn before at the top', async () => {
    const { id } = await settleIn()
    const { sessionId } = turnPost()
    await post(turnPost({ userId: id, sessionId, at: at(1) }))
    await post(turnPost({ userId: id, sessionId, at: at(2), userMessage: 'Wait', aiResponse: undefined }))
    expect(await calls().findOne()).toMatchObject({ userMessage: 'Wait', aiResponse: null })
  })

  it.each([
    ['+1234567890', '+1234567890'],
    ['098765 01234', '+919876501234'],
    ['anonymous', 'anonymous'],
    ['sip:asha@example.com', 'sip:asha@example.com'],
    ['$phone', '$phone'],
    [null, undefined],
    ['', undefined],
  ])('from %j is stored as from %j', async (phoneNumber, stored) => {
    const { id } = await settleIn()
    const body = turnPost({ userId: id, phoneNumber })
    expect((await post(body)).status).toBe(201)
    expect((await calls().findOne())?.phoneNumber).toBe(stored)
  })

  it('keeps texts that look like expressions as they are', async () => {
    const { id } = await settleIn()
    const { sessionId } = turnPost()
    const words = { userMessage: '$$ROOT', aiResponse: '$status' }
    const ids = { sessionId, phoneNumber: '$userId', callSid: '$sessionId', userId: id }
    for (const seconds of [1, 2]) await post(turnPost({ ...ids, ...words, at: at(seconds) }))
    await post(turnPost({ ...ids, ...words, turnId: '$x' }))
    expect(await calls().findOne()).toMatchObject({ ...words, phoneNumber: '$userId', callSid: '$sessionId' })
  })

  it('moves a call of the old system on and keeps what it said', async () => {
    const { userId, id } = await settleIn()
    const old = oldConversation(userId)
    const { sessionId } = old
    await calls().insertOne(old)

    expect((await post(turnPost({ userId: id, sessionId, at: at(1), duration: 12 }))).status).toBe(200)
    expect((await post(turnPost({ userId: id, sessionId, turnId: 'b' }))).status).toBe(200)

    const { userMessage, audioUrl, phoneNumber, createdAt } = old
    const kept = { userMessage, audioUrl, phoneNumber, status: 'completed', startedAt: createdAt }
    expect(await calls().findOne()).toMatchObject({
      ...kept,
      duration: 12,
      metered: { calls: 1, seconds: 12 },
    })
    expect(await turnsOf(sessionId)).toHaveLength(2)
  })
})

describe('whose a call is', () => {
  it('says the number that it came in on', async () => {
    const { userId, key } = await settleIn()
    const body = turnPost({ to: '080471 01234' })
    expect((await post(body, key)).body.data.userId).toBe(String(userId))
    expect((await post({ ...body, to: '+918047109999', sessionId: 'b' }, key)).status).toBe(404)
    expect((await post({ ...body, to: 'anonymous', sessionId: 'c' }, key)).status).toBe(404)
  })

  it('stays so when its number is another user’s meanwhile', async () => {
    const { userId, key } = await settleIn()
    const body = turnPost({ to: NUMBER, at: at(1) })
    await post(body, key)
    const other = await createTestUser()
    const db = testDatabase().db
    await db.collection('userprofiles').updateOne({ userId }, { $unset: { assignedPhoneNumber: '' } })
    const assigned = {
      userId: other.user._id,
      assignedPhoneNumber: NUMBER,
      createdAt: at(2),
      updatedAt: at(2),
    }
    await db.collection('userprofiles').insertOne(assigned)

    const later = await post({ ...body, at: at(3), userMessage: 'Still there?' }, key)
    expect(later).toMatchObject({ status: 200, body: { data: { userId: String(userId) } } })
    expect((await turns().distinct('userId')).map(String)).toEqual([String(userId)])
    const next = await post({ ...body, sessionId: 'next' }, key)
    expect(next).toMatchObject({ status: 201, body: { data: { userId: String(other.user._id) } } })
  })

  it.each(['another user’s', 'nobody’s'])(
    'is whom it was admitted to, though the number is %s by its first post',
    async whose => {
      const { userId, key } = await settleIn()
      const [SECOND, admission] = ['+918047105678', { to: '080471 01234', sessionId: 'CA1' }]
      await addPhoneNumbers([{ phoneNumber: SECOND }], new Date())
      const admitted = (await admit(admission, key)).body.data
      await assignPhoneNumber(userId, SECOND, new Date())
      const next = await createTestUser()
      if (whose === 'another user’s') await assignPhoneNumber(next.user._id, NUMBER, new Date())

      expect((await admit(admission, key)).body.data).toEqual(admitted)
      const first = await post(turnPost({ ...admission, duration: 9 }), key)

      expect(first).toMatchObject({ status: 201, body: { data: { userId: String(userId) } } })
      expect((await turns().distinct('userId')).map(String)).toEqual([String(userId)])
      const used = await testDatabase().db.collection('usageperiods').find().toArray()
      expect(used).toMatchObject([{ userId, calls: 1, seconds: 9 }])
      const limited = await createApiKey(
        { scopes: ['calls:write'], userIds: [String(next.user._id)] },
        undefined,
        new Date(),
      )
      const turn = turnPost({ ...admission, userMessage: 'Who is it?' })
      expect((await post(turn, limited.key)).status).toBe(404)
    },
  )

  it('is found by either once it is known by one', async () => {
    const { id, key } = await settleIn()
    const body = turnPost()
    expect((await post({ ...body, userId: id, turnId: 1 }, key)).status).toBe(201)
    expect((await post({ ...body, to: NUMBER, turnId: 2 }, key)).status).toBe(200)
    expect((await post({ ...body, userId: id, to: NUMBER, turnId: 3 }, key)).status).toBe(200)
    expect(await turnsOf(body.sessionId)).toHaveLength(3)
  })

  it('is nobody who is erased, and somebody who is suspended', async () => {
    const erased = await createTestUser({ status: 'deleted' })
    const suspended = await createTestUser({ status: 'suspended' })
    expect((await post(turnPost({ userId: String(erased.user._id) }))).status).toBe(404)
    expect((await post(turnPost({ userId: String(new ObjectId()) }))).status).toBe(404)
    expect((await post(turnPost({ userId: String(suspended.user._id) }))).status).toBe(201)
  })

  it('needs a user or a number', async () => {
    const { status, body } = await post(turnPost())
    expect(status).toBe(400)
    expect(body.details).toMatchObject([{ path: 'userId' }])
  })

  it('is no other user, whose session and callSid are refused alike', async () => {
    const { id } = await settleIn()
    const other = String((await createTestUser()).user._id)
    const theirs = turnPost({ userId: other, callSid: 'CA1' })
    await post(theirs)
    const before = [await calls().find().toArray(), await turns().find().toArray()]

    const bySession = await post({ ...theirs, userId: id, callSid: undefined, userMessage: 'Mine now' })
    const byCallSid = await post(turnPost({ userId: id, callSid: 'CA1' }))
    const byNumber = await post({ ...theirs, userId: undefined, to: NUMBER, turnId: 'x' })

    for (const answer of [bySession, byCallSid, byNumber]) {
      expect(answer).toMatchObject({ status: 409, body: { error: bySession.body.error } })
      expect(answer.text).not.toContain(other)
    }
    expect([await calls().find().toArray(), await turns().find().toArray()]).toEqual(before)
  })

  it('is one call of each callSid', async () => {
    const { id } = await settleIn()
    const [first, second] = [turnPost({ userId: id, callSid: 'CA1' }), turnPost({ userId: id })]
    expect((await post(first)).status).toBe(201)
    expect((await post(second)).status).toBe(201)
    expect((await post({ ...second, callSid: 'CA1' })).status).toBe(409)
    expect((await post({ ...second, callSid: 'CA2' })).status).toBe(200)
    expect((await post({ ...first, callSid: null })).status).toBe(200)
    expect(await calls().distinct('callSid')).toEqual(['CA1', 'CA2'])
  })
})

describe('who saves calls', () => {
  it('is who has a key for it, within what the key reaches', async () => {
    const { id } = await settleIn()
    const other = (await createTestUser()).user._id
    const keyOf = async (userIds: string[]) =>
      (await createApiKey({ scopes: ['calls:write'], userIds }, undefined, new Date())).key
    const own = await keyOf([id])
    const foreign = await keyOf([String(other)])
    const ofBoth = await keyOf([id, String(other)])
    const body = turnPost({ userId: id })

    for (const key of [own, ofBoth]) expect((await post(body, key)).status).toBeLessThan(300)
    // As if there were no such user, and no such call.
    expect((await post({ ...body, turnId: 'x' }, foreign)).status).toBe(404)
    expect((await post({ ...body, userId: undefined, to: NUMBER }, foreign)).status).toBe(404)
    expect((await post({ ...body, userId: String(other) }, foreign)).status).toBe(409)
    expect((await post(turnPost({ userId: String(other) }), own)).status).toBe(404)
    expect(await turns().countDocuments()).toBe(1)
  })

  it('hears no call of somebody else, whatever number it says one of its own came in on', async () => {
    const { id, key } = await settleIn()
    const other = String((await createTestUser()).user._id)
    const limits = { scopes: ['calls:write' as const], userIds: [other] }
    const { key: limited } = await createApiKey(limits, undefined, new Date())
    const body = turnPost({ to: NUMBER })

    expect((await post({ ...body, userId: other, userMessage: 'Mine' }, limited)).status).toBe(201)
    expect((await post({ ...body, userId: other, userMessage: 'Mine still' }, limited)).status).toBe(200)
    expect((await post(body, key)).status).toBe(409)
    expect(await turns().countDocuments()).toBe(2)
    const next = { to: NUMBER, sessionId: 'next' }
    expect((await admit({ ...next, userId: other }, limited)).status).toBe(200)
    expect((await post({ ...body, ...next }, key)).body.data.userId).toBe(id)
  })

  it('is no user with a key of its own, who could take the session of another’s call', async () => {
    const { id, key } = await settleIn()
    const { user } = await createTestUser()
    const { key: own } = await createApiKey({ scopes: ['calls:write'] }, user._id, new Date())
    const body = turnPost({ userId: id })

    expect((await post({ ...body, userId: String(user._id) }, own)).status).toBe(403)
    expect((await post(body, key)).status).toBe(201)
  })

  it('is nobody else, not even who is called', async () => {
    const { id } = await settleIn()
    const { user, token } = await createTestUser()
    expect((await post(turnPost({ userId: String(user._id) }), token)).status).toBe(403)
    const { key } = await createApiKey({ scopes: ['leads:write'] }, undefined, new Date())
    expect((await post(turnPost({ userId: id }), key)).status).toBe(403)
    expect((await call(conversationsRoute, 'POST', '/api/conversations', { body: turnPost() })).status).toBe(
      401,
    )
    expect(await calls().countDocuments()).toBe(0)
  })
})

describe('a body that is wrong', () => {
  it.each([
    ['userId', { userId: 'asha' }],
    ['userId', { userId: { $gt: '' } }],
    ['sessionId', { sessionId: '' }],
    ['sessionId', { sessionId: { $ne: 1 } }],
    ['sessionId', { sessionId: 'x'.repeat(201) }],
    ['turnId', { turnId: 1.5 }],
    ['callSid', { callSid: 'x'.repeat(201) }],
    ['userMessage', { userMessage: 'x'.repeat(20_001) }],
    ['aiResponse', { aiResponse: 7 }],
    ['audioUrl', { audioUrl: 'javascript:alert(1)' }],
    ['audioUrl', { audioUrl: 'ftp://media.example/a.mp3' }],
    ['responseAudioUrl', { responseAudioUrl: 'media.example/a.mp3' }],
    ['duration', { duration: -1 }],
    ['duration', { duration: '12' }],
    ['duration', { duration: 86_401 }],
    ['status', { status: 'ringing' }],
    ['at', { at: 'yesterday' }],
    ['at', { at: '2026-11-22T10:00:00' }],
    ['at', { at: 9e15 }],
    ['metadata.ttsTime', { metadata: { ttsTime: -1 } }],
    ['metadata.responseTime', { metadata: { responseTime: '12' } }],
    ['metadata.$where', { metadata: { $where: '1' } }],
    ['metadata', { metadata: { note: 'x'.repeat(20_000) } }],
  ])('is refused, and says that it is %s', async (path, wrong) => {
    const { status, body } = await post(turnPost({ userId: String(new ObjectId()), ...wrong }))
    expect(status).toBe(400)
    expect(body.details).toMatchObject([{ path }])
  })
})
