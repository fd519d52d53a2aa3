import { beforeEach, describe, expect, it } from 'vitest'
import admitRoute from '../../../api/calls/admit.js'
import { type ApiKeyInput, createApiKey } from '../../../lib/domain/accounts/api-keys.js'
import type { Admission } from '../../../lib/domain/calls/admission.js'
import { assignPhoneNumber } from '../../../lib/domain/phones/phone-assignments.js'
import { addPhoneNumbers } from '../../../lib/domain/phones/phone-numbers.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { call } from '../../support/request.js'
import { createTestUser, type TestUser } from '../../support/users.js'

interface Answer {
  code?: string
  data: Admission
}

const NUMBER = '+918047101234'

let asha: TestUser
beforeEach(async () => {
  await emptyDatabase()
  asha = await createTestUser({ plainPassword: null })
  await addPhoneNumbers([{ phoneNumber: NUMBER }], new Date())
  await assignPhoneNumber(asha.user._id, NUMBER, new Date())
})

const keyWith = async (more: Partial<ApiKeyInput> = {}, owner?: TestUser) =>
  (await createApiKey({ scopes: ['calls:write'], ...more }, owner?.user._id, new Date())).key

const admit = (key: string, body: unknown) =>
  call<Answer>(admitRoute, 'POST', '/api/calls/admit', { headers: { 'x-api-key': key }, body })

describe('POST /api/calls/admit', () => {
  it('is for the telephony, and not for who is called', async () => {
    const body = { userId: String(asha.user._id), sessionId: 'CA1' }
    const { token } = asha
    expect((await call(admitRoute, 'POST', '/api/calls/admit', { token, body })).status).toBe(403)
    expect((await admit(await keyWith({}, asha), body)).status).toBe(403)
    expect(await testDatabase().db.collection('usageperiods').countDocuments()).toBe(0)
  })

  it('admits a call to a number as the telephony writes it', async () => {
    const key = await keyWith()
    const from = '+919876543210'

    for (const to of [NUMBER, '080 4710 1234', 'tel:+91-80-4710-1234'])
      expect(await admit(key, { to, from, sessionId: 'CA1' })).toMatchObject({
        status: 200,
        body: {
          success: true,
          data: {
            allowed: true,
            userId: String(asha.user._id),
            maxSeconds: 1800,
            preferences: { language: 'en' },
          },
        },
      })
    expect(await testDatabase().db.collection('usageperiods').findOne()).toMatchObject({ calls: 1 })
  })

  it('takes null for what is not known, as a post of the call does', async () => {
    const key = await keyWith()
    const userId = String(asha.user._id)
    for (const body of [
      { to: NUMBER, userId: null },
      { to: null, userId },
    ])
      expect(await admit(key, { ...body, from: null, sessionId: 'CA1' })).toMatchObject({
        status: 200,
        body: { data: { allowed: true, userId } },
      })
  })

  it('answers 200 with the reason where the limit is reached', async () => {
    const key = await keyWith()
    for (let i = 0; i < 10; i++) await admit(key, { to: NUMBER, sessionId: `CA${i}` })

    const refused = await admit(key, { to: NUMBER, sessionId: 'CA10' })

    expect(refused.status).toBe(200)
    expect(refused.body.data).toMatchObject({
      allowed: false,
      reason: 'Monthly call limit exceeded',
      maxSeconds: 0,
      reservationId: null,
    })
  })

  it('is for keys with the scope, and for whose calls they are', async () => {
    const ravi = await createTestUser({ plainPassword: null })
    const body = { userId: String(asha.user._id), sessionId: 'CA1' }

    expect((await admit('none', body)).status).toBe(401)
    expect((await admit(await keyWith({ scopes: ['leads:read'] }), body)).status).toBe(403)
    const keyFor = ({ user }: TestUser) => keyWith({ userIds: [String(user._id)] })
    expect(await admit(await keyFor(ravi), body)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
    expect(await admit(await keyFor(asha), body)).toMatchObject({
      status: 200,
      body: { data: { allowed: true } },
    })
  })

  it('says what is wrong, and writes nothing', async () => {
    const key = await keyWith()
    const wrong: [unknown, string][] = [
      [{ sessionId: 'CA1' }, 'to'],
      [{ to: null, userId: null, sessionId: 'CA1' }, 'to'],
      [{ to: 'hello', sessionId: 'CA1' }, 'to'],
      [{ to: { $gt: '' }, sessionId: 'CA1' }, 'to'],
      [{ userId: { $ne: null }, sessionId: 'CA1' }, 'userId'],
      [{ userId: 'asha', sessionId: 'CA1' }, 'userId'],
      [{ to: NUMBER }, 'sessionId'],
      [{ to: NUMBER, sessionId: '' }, 'sessionId'],
      [{ to: NUMBER, sessionId: 'x'.repeat(201) }, 'sessionId'],
      [{ to: NUMBER, sessionId: { $gt: '' } }, 'sessionId'],
    ]
    for (const [body, path] of wrong)
      expect(await admit(key, body), JSON.stringify(body)).toMatchObject({
        status: 400,
        body: { details: [{ path }] },
      })
    expect(await admit(key, { to: '+918047109999', sessionId: 'CA1' })).toMatchObject({ status: 404 })
    expect(await testDatabase().db.collection('usageperiods').countDocuments()).toBe(0)
  })
})
