import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { getProfile, updateProfile } from '../../../lib/domain/accounts/account-profiles.js'
import {
  BusinessInfo,
  PreferencesInput,
  updateUserPreferences,
  userProfiles,
} from '../../../lib/domain/accounts/user-profiles.js'
import { users } from '../../../lib/domain/accounts/users.js'
import { checkUsageLimits } from '../../../lib/domain/usage/usage.js'
import { emptyDatabase, firstWritesAtOnce, testDatabase } from '../../support/database.js'
import { createTestUser, storedUser } from '../../support/users.js'

const AT_ONCE = await firstWritesAtOnce()

const NOW = new Date('2026-03-01T12:00:00Z')
const DEFAULTS = { voiceModel: 'alloy', aiModel: 'gpt-4', responseLength: 'medium', language: 'en' }

const stored = () => testDatabase().db.collection('userprofiles').find().toArray()

beforeEach(async () => {
  await emptyDatabase()
  await userProfiles.ensureIndexes()
})

describe('the profile of a user of the old system', () => {
  it('has the defaults where there is none', async () => {
    const { user } = await createTestUser({
      role: undefined,
      status: undefined,
      sessionVersion: undefined,
      name: 'Asha',
    })

    expect(await getProfile(user, NOW)).toEqual({
      id: String(user._id),
      _id: String(user._id),
      email: user.email,
      name: 'Asha',
      role: 'user',
      status: 'active',
      emailVerified: false,
      createdAt: user.createdAt,
      updatedAt: user.updatedAt,
      profile: {
        preferences: DEFAULTS,
        subscription: { plan: 'free' },
        usage: await checkUsageLimits(user, NOW),
        businessInfo: {},
        assignedPhoneNumber: null,
      },
    })
    expect(await stored()).toEqual([])
  })

  it('has the defaults for what nobody offers any more, and keeps the rest', async () => {
    const { user } = await createTestUser()
    await testDatabase()
      .db.collection('userprofiles')
      .insertOne({
        userId: user._id,
        assignedPhoneNumber: null,
        preferences: { voiceModel: 'nova', aiModel: 'text-davinci-003', responseLength: null },
      })

    const { profile } = await getProfile(user, NOW)

    expect(profile).toMatchObject({
      preferences: { ...DEFAULTS, voiceModel: 'nova' },
      assignedPhoneNumber: null,
    })
    // What was read can be sent back as it is.
    expect(PreferencesInput.safeParse(profile.preferences).success).toBe(true)
  })
})

describe('a partial update', () => {
  it('of preferences leaves the others as they are', async () => {
    const { user } = await createTestUser()

    await updateUserPreferences(user._id, { voiceModel: 'nova', language: 'hi-IN' }, NOW)
    expect(await updateUserPreferences(user._id, { responseLength: 'short' }, NOW)).toEqual({
      ...DEFAULTS,
      voiceModel: 'nova',
      language: 'hi-IN',
      responseLength: 'short',
    })
    expect(await updateUserPreferences(user._id, {}, NOW)).toMatchObject({ voiceModel: 'nova' })
    expect(await stored()).toMatchObject([
      { userId: user._id, preferences: { voiceModel: 'nova', language: 'hi-IN', responseLength: 'short' } },
    ])
  })

  it('of business information reaches every depth, and takes a day as a whole', async () => {
    const { user } = await createTestUser({ name: 'Asha' })
    const change = (input: Parameters<typeof updateProfile>[1]) => updateProfile(user, input, NOW)

    await change({
      businessInfo: {
        company: 'Nivasa',
        hours: { timeZone: 'Asia/Kolkata', monday: { open: '09:00', close: '18:00' }, sunday: null },
      },
    })
    await change({ phone: '+91 98765 43210', businessInfo: { greeting: 'Namaste!' } })
    await change({ businessInfo: { hours: { monday: null, sunday: { open: '10:00', close: '13:00' } } } })
    const changed = await change({ businessInfo: { hours: { monday: { open: '11:00', close: '12:00' } } } })

    expect(changed).toMatchObject({ name: 'Asha', phone: '+91 98765 43210' })
    expect(changed.profile.businessInfo).toEqual({
      company: 'Nivasa',
      greeting: 'Namaste!',
      hours: {
        timeZone: 'Asia/Kolkata',
        monday: { open: '11:00', close: '12:00' },
        sunday: { open: '10:00', close: '13:00' },
      },
    })
  })

  it('takes nothing from one at the same time, nor from the first ones at once', AT_ONCE, async () => {
    for (let round = 0; round < 20; round++) {
      const { user } = await createTestUser({ plainPassword: null })
      await Promise.all([
        updateUserPreferences(user._id, { voiceModel: 'nova' }, NOW),
        updateUserPreferences(user._id, { language: 'ta' }, NOW),
        updateProfile(user, { name: 'Asha' }, NOW),
        updateProfile(user, { phone: '+911234', businessInfo: { company: 'Nivasa' } }, NOW),
        updateProfile(user, { businessInfo: { hours: { monday: null } } }, NOW),
        updateProfile(user, { businessInfo: { hours: { timeZone: 'Asia/Kolkata' } } }, NOW),
      ])

      const after = await (await users.open()).findOne({ _id: user._id })
      expect(after && (await getProfile(after, NOW))).toMatchObject({
        name: 'Asha',
        phone: '+911234',
        profile: {
          preferences: { ...DEFAULTS, voiceModel: 'nova', language: 'ta' },
          businessInfo: { company: 'Nivasa', hours: { monday: null, timeZone: 'Asia/Kolkata' } },
        },
      })
    }
    expect(await stored()).toHaveLength(20)
  })

  it('writes nothing of an account that was erased meanwhile', async () => {
    const user = storedUser({ email: 'deleted:1', status: 'deleted' })
    await (await users.open()).insertOne(user)

    await expect(updateProfile(user, { name: 'Asha' }, NOW)).rejects.toMatchObject({ code: 'not_found' })

    expect(await (await users.open()).findOne({ _id: user._id })).not.toHaveProperty('name')
    expect(await stored()).toEqual([])
  })
})

describe('what is accepted', () => {
  const withTimeZone = (timeZone: string) => BusinessInfo.safeParse({ hours: { timeZone } }).success
  const withLanguage = (language: string) => PreferencesInput.safeParse({ language }).success
  const withDay = (tuesday: unknown) => BusinessInfo.safeParse({ hours: { tuesday } }).success

  it.each(['Asia/Kolkata', 'Asia/Calcutta', 'America/Argentina/Buenos_Aires', 'UTC', 'Etc/GMT+5'])(
    'is the time zone %s',
    timeZone => expect(withTimeZone(timeZone)).toBe(true),
  )
  it.each(['', 'IST+5:30', '+05:30', '05:30', 'Asia', 'Asia/Nowhere', 'Asia/Kolkata\0', 'x'.repeat(65)])(
    'is not the time zone %j',
    timeZone => expect(withTimeZone(timeZone)).toBe(false),
  )
  it.each(['en', 'hi', 'hi-IN', 'zh-Hant-TW', 'EN-us', 'es-419'])('is the language %s', language =>
    expect(withLanguage(language)).toBe(true),
  )
  it.each(['', 'e', 'en_US', 'en-', '12', 'en US', '$en', 'english (US)'])(
    'is not the language %j',
    language => expect(withLanguage(language)).toBe(false),
  )
  it.each([
    [{ open: '09:00', close: '18:30' }, true],
    [{ open: '22:00', close: '02:00' }, true],
    [null, true],
    [{ open: '09:00' }, false],
    [{ open: '9:00', close: '18:00' }, false],
    [{ open: '24:00', close: '18:00' }, false],
    [{ open: '09:60', close: '18:00' }, false],
    ['closed', false],
  ])('as hours of a day: %j is %s', (hours, expected) => expect(withDay(hours)).toBe(expected))
})

describe('the AI models of a deployment', () => {
  afterEach(() => vi.resetModules())

  it('are its configuration, the first one the default', async () => {
    const { user } = await createTestUser()
    await updateUserPreferences(user._id, { aiModel: 'gpt-3.5-turbo' }, NOW)
    vi.stubEnv('AI_MODELS', 'house-large, house-small')
    vi.resetModules()
    const deployed = await import('../../../lib/domain/accounts/user-profiles.js')
    const profiles = await import('../../../lib/domain/accounts/account-profiles.js')

    expect((await profiles.getProfile(user, NOW)).profile.preferences.aiModel).toBe('house-large')
    expect(deployed.PreferencesInput.safeParse({ aiModel: 'house-small' }).success).toBe(true)
    expect(deployed.PreferencesInput.safeParse({ aiModel: 'gpt-4' }).error?.issues).toMatchObject([
      { path: ['aiModel'], message: 'is not one of the AI models offered' },
    ])
    await (await import('../../../lib/db/client.js')).closeDatabase()
  })

  it('are those that the old system knew, unless it says otherwise', () => {
    const accepted = ['gpt-4', 'gpt-3.5-turbo', 'gpt-5'].filter(
      aiModel => PreferencesInput.safeParse({ aiModel }).success,
    )

    expect(accepted).toEqual(['gpt-4', 'gpt-3.5-turbo'])
  })
})
