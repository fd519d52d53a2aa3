import { beforeEach, describe, expect, it } from 'vitest'
import preferencesRoute from '../../../api/user/preferences.js'
import profileRoute from '../../../api/user/profile.js'
import type { PublicProfile } from '../../../lib/domain/accounts/account-profiles.js'
import type { ErrorBody } from '../../../lib/http/reply.js'
import { emptyDatabase, firstWritesAtOnce, testDatabase } from '../../support/database.js'
import type { Wire } from '../../support/fixtures/wire.js'
import { adminToken, call } from '../../support/request.js'
import { createTestUser, type TestUser } from '../../support/users.js'

const AT_ONCE = await firstWritesAtOnce()

type ProfileAnswer = { success: true; data: Wire<PublicProfile> }

const DEFAULTS = { voiceModel: 'alloy', aiModel: 'gpt-4', responseLength: 'medium', language: 'en' }

let asha: TestUser

const read = async () =>
  (await call<ProfileAnswer>(profileRoute, 'GET', '/api/user/profile', { token: asha.token })).body.data
const patch = <T = ProfileAnswer>(body: unknown) =>
  call<T>(profileRoute, 'PATCH', '/api/user/profile', { token: asha.token, body })
const put = <T = { success: true; data: typeof DEFAULTS }>(body: unknown) =>
  call<T>(preferencesRoute, 'PUT', '/api/user/preferences', { token: asha.token, body })

/** What is stored of the user, as text. */
async function stored(): Promise<string> {
  const { db } = testDatabase()
  const { _id } = asha.user
  return JSON.stringify([
    await db.collection('users').findOne({ _id }),
    await db.collection('userprofiles').findOne({ userId: _id }),
  ])
}

beforeEach(async () => {
  await emptyDatabase()
  asha = await createTestUser({ name: 'Asha' })
})

describe('the profile', () => {
  it('is the user with everything that belongs to it', async () => {
    const { user, token } = asha

    const answer = await call<ProfileAnswer>(profileRoute, 'GET', '/api/user/profile', { token })

    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toEqual({
      success: true,
      data: {
        id: String(user._id),
        _id: String(user._id),
        email: user.email,
        name: 'Asha',
        role: 'user',
        status: 'active',
        emailVerified: false,
        createdAt: user.createdAt.toISOString(),
        updatedAt: user.updatedAt.toISOString(),
        profile: {
          preferences: DEFAULTS,
          subscription: { plan: 'free' },
          usage: {
            allowed: true,
            plan: 'free',
            period: { start: expect.any(String), end: expect.any(String) },
            calls: { used: 0, limit: 10, remaining: 10 },
            minutes: { used: 0, limit: 30, remaining: 30 },
            forecast: { basis: 'too_little_data', callsRunOutAt: null, minutesRunOutAt: null },
          },
          businessInfo: {},
          assignedPhoneNumber: null,
        },
      },
    })
  })

  it('is nobody’s who has no account', async () => {
    for (const route of [
      () => call(profileRoute, 'GET', '/api/user/profile'),
      () => call(profileRoute, 'PATCH', '/api/user/profile', { body: { name: 'Eve' } }),
      () => call(preferencesRoute, 'PUT', '/api/user/preferences', { body: { language: 'hi' } }),
    ])
      expect(await route()).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    const token = adminToken()
    expect((await call(profileRoute, 'GET', '/api/user/profile', { token })).status).toBe(403)
  })

  it('takes a part, and answers with the whole', async () => {
    const first = await patch({ businessInfo: { company: 'Nivasa', hours: { sunday: null } } })
    const second = await patch({
      name: '  Asha Rao ',
      phone: '+91 98765 43210',
      businessInfo: { hours: { timeZone: 'Asia/Kolkata', monday: { open: '09:00', close: '18:00' } } },
    })

    expect(first).toMatchObject({ status: 200, body: { data: { name: 'Asha' } } })
    expect(second.body.data).toMatchObject({
      name: 'Asha Rao',
      phone: '+91 98765 43210',
      profile: {
        businessInfo: {
          company: 'Nivasa',
          hours: { timeZone: 'Asia/Kolkata', monday: { open: '09:00', close: '18:00' }, sunday: null },
        },
      },
    })
    expect(await read()).toEqual(second.body.data)
  })

  it.each(['', ' ', null])(
    'takes out what is given as %j, as who empties a field of its form',
    async none => {
      await patch({ phone: '+91 98765 43210' })
      const { status, body } = await patch({ name: none, phone: none })
      expect(status).toBe(200)
      for (const field of ['name', 'phone']) expect(body.data).not.toHaveProperty(field)
      expect(await read()).toEqual(body.data)
    },
  )

  it('takes the whole back as it was read', async () => {
    await patch({ businessInfo: { company: 'Nivasa', hours: { sunday: null } } })
    await put({ voiceModel: 'nova' })
    const before = await read()

    expect((await patch({ ...before, ...before.profile })).status).toBe(200)
    expect((await put(before.profile.preferences)).status).toBe(200)

    expect({ ...(await read()), updatedAt: '' }).toEqual({ ...before, updatedAt: '' })
  })

  it('lets nobody give itself what is not its own to give', async () => {
    const before = await read()
    const wishes = {
      role: 'admin',
      status: 'suspended',
      plan: 'enterprise',
      email: 'other@example.com',
      emailVerified: true,
      passwordHash: 'x',
      sessionVersion: 9,
      userId: '000000000000000000000000',
      assignedPhoneNumber: '+911234567890',
      subscription: { plan: 'enterprise' },
      'profile.subscription.plan': 'enterprise',
      $set: { role: 'admin' },
      profile: { subscription: { plan: 'enterprise' }, assignedPhoneNumber: '+911234567890' },
      businessInfo: { company: 'Nivasa', plan: 'enterprise', hours: { holiday: null } },
    }

    expect((await patch(wishes)).status).toBe(200)
    expect((await put({ ...wishes, voiceModel: 'nova' })).status).toBe(200)

    const after = await read()
    expect(after).toEqual({
      ...before,
      updatedAt: expect.any(String),
      profile: {
        ...before.profile,
        preferences: { ...DEFAULTS, voiceModel: 'nova' },
        businessInfo: { company: 'Nivasa' },
      },
    })
    for (const trace of ['enterprise', '911234567890', 'holiday', 'other@example.com'])
      expect(await stored()).not.toContain(trace)
  })
})

describe('one bad field', () => {
  const good = { greeting: 'Namaste!', hours: { monday: null } }

  it.each([
    [{ phone: '+9' }, 'phone'],
    [{ name: 'x'.repeat(201) }, 'name'],
    [{ name: { $gt: '' } }, 'name'],
    [{ phone: 7 }, 'phone'],
    [{ businessInfo: { ...good, company: 'x'.repeat(201) } }, 'businessInfo.company'],
    [{ businessInfo: { ...good, instructions: ['x'] } }, 'businessInfo.instructions'],
    [{ businessInfo: { ...good, hours: { timeZone: 'Mars/Base' } } }, 'businessInfo.hours.timeZone'],
    [
      { businessInfo: { ...good, hours: { friday: { open: '9', close: '18:00' } } } },
      'businessInfo.hours.friday.open',
    ],
    [{ businessInfo: 'Nivasa' }, 'businessInfo'],
    [[], ''],
  ])('of the profile changes nothing and is named: %j', async (bad, path) => {
    const before = await stored()

    const body = Array.isArray(bad) ? bad : { phone: '+911234', businessInfo: good, ...bad }
    const answer = await patch<ErrorBody>(body)

    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', details: [{ path }] } })
    expect(await stored()).toBe(before)
  })

  it.each([
    [{ voiceModel: 'siri' }, 'voiceModel'],
    [{ aiModel: 'gpt-99' }, 'aiModel'],
    [{ responseLength: 'LONG' }, 'responseLength'],
    [{ language: 'en_US' }, 'language'],
    [{ language: null }, 'language'],
    [{ voiceModel: { $ne: 'alloy' } }, 'voiceModel'],
  ])('of the preferences changes nothing and is named: %j', async (bad, path) => {
    await put({ responseLength: 'short' })
    const before = await stored()

    const answer = await put<ErrorBody>({ voiceModel: 'nova', language: 'hi', ...bad })

    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', details: [{ path }] } })
    expect(await stored()).toBe(before)
  })
})

describe('the preferences', () => {
  it('are answered whole, whatever part was sent', async () => {
    expect(await put({ voiceModel: 'nova' })).toMatchObject({
      status: 200,
      body: { success: true, data: { ...DEFAULTS, voiceModel: 'nova' } },
    })
    expect((await put({ language: 'hi-IN', responseLength: 'long' })).body).toEqual({
      success: true,
      data: { ...DEFAULTS, voiceModel: 'nova', language: 'hi-IN', responseLength: 'long' },
    })
    expect((await put({})).body.data).toMatchObject({ voiceModel: 'nova' })
    expect((await read()).profile.preferences).toMatchObject({ voiceModel: 'nova', language: 'hi-IN' })
  })

  it('survive each other at the same time', AT_ONCE, async () => {
    for (let round = 0; round < 5; round++) {
      asha = await createTestUser({ plainPassword: null })
      const answers = await Promise.all([
        put({ voiceModel: 'nova' }),
        put({ language: 'ta' }),
        put({ responseLength: 'short' }),
        put({ aiModel: 'gpt-3.5-turbo' }),
      ])

      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect((await read()).profile.preferences).toEqual({
        voiceModel: 'nova',
        language: 'ta',
        responseLength: 'short',
        aiModel: 'gpt-3.5-turbo',
      })
    }
  })
})
