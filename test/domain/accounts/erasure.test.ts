import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import { hashPassword } from '../../../lib/auth/passwords.js'
import { exportAccount } from '../../../lib/domain/accounts/account-export.js'
import { updateProfile } from '../../../lib/domain/accounts/account-profiles.js'
import { createApiKey, findApiKey } from '../../../lib/domain/accounts/api-keys.js'
import { deleteAccount, erasures, finishErasures } from '../../../lib/domain/accounts/erasure.js'
import { findSessionUser, rotateSession } from '../../../lib/domain/accounts/sessions.js'
import { updateUserPreferences } from '../../../lib/domain/accounts/user-profiles.js'
import { createUser, findUser, issueOneTimeToken, users } from '../../../lib/domain/accounts/users.js'
import { admitCall } from '../../../lib/domain/calls/admission.js'
import { saveConversation } from '../../../lib/domain/calls/conversation-ingest.js'
import { ConversationInput } from '../../../lib/domain/calls/conversation-input.js'
import { saveLeadSession } from '../../../lib/domain/chats/chat-sessions.js'
import { leads } from '../../../lib/domain/leads/leads.js'
import { enqueueMail } from '../../../lib/domain/mail-outbox.js'
import { assignPhoneNumber } from '../../../lib/domain/phones/phone-assignments.js'
import { addPhoneNumbers } from '../../../lib/domain/phones/phone-numbers.js'
import { checkUsageLimits } from '../../../lib/domain/usage/usage.js'
import { finishHandOvers } from '../../../lib/domain/widgets/project-ownership.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { turnPost } from '../../support/fixtures/calls.js'
import { storedLead } from '../../support/fixtures/leads.js'
import { storedWidgetConfig } from '../../support/fixtures/widget-configs.js'
import { createTestUser, type TestUser } from '../../support/users.js'

// Today: what is expired is deleted by the database itself.
const NOW = new Date()
const MINUTE_MS = 60_000
const LATER = new Date(NOW.getTime() + 60 * MINUTE_MS)
const NEXT_RUN = new Date(LATER.getTime() + 60 * MINUTE_MS)
const NUMBER = '+918047101234'
const EMAIL = 'asha.rao@example.com'
const SESSION_SECRETS = ['hash', 'llr_']

const request = { now: NOW, network: '203.0.113.7', background: () => {} }
const db = () => testDatabase().db

const saveCall = (userId: ObjectId) =>
  saveConversation(ConversationInput.parse(turnPost({ userId: String(userId) })), {}, NOW)

/** A user of whom there is something in every collection that can have something. */
async function settleIn(): Promise<TestUser & { key: string }> {
  const asha = await createTestUser({
    email: EMAIL,
    name: 'Asha Rao',
    phone: '+91 98765 43210',
    emailVerifiedAt: NOW,
    lastLoginAt: NOW,
    knownNetworks: ['known-network'],
  })
  const { user } = asha
  await addPhoneNumbers([{ phoneNumber: NUMBER }], NOW)
  await assignPhoneNumber(user._id, NUMBER, NOW)
  await updateProfile(user, { businessInfo: { company: 'Rao Estates' } }, NOW)
  await updateUserPreferences(user._id, { voiceModel: 'nova' }, NOW)
  await issueOneTimeToken(EMAIL, 'resetPassword', NOW)
  await enqueueMail('reset-password', EMAIL, NOW)
  await enqueueMail('verify-email', EMAIL, NOW)
  const { key } = await createApiKey({ scopes: ['leads:read'], name: 'Asha’s CRM' }, user._id, NOW)
  await db()
    .collection('widgetconfigs')
    .insertOne(storedWidgetConfig({ ownerId: user._id }))
  await (await leads.open()).insertOne(storedLead({ phone: '+918047109999', ownerId: user._id }))
  await saveCall(user._id)
  return { ...asha, key }
}

/** Everything that is stored, as text. */
async function everything(): Promise<string> {
  const collections = await db().listCollections({}, { nameOnly: true }).toArray()
  const names = collections.map(({ name }) => name).sort()
  const documents = await Promise.all(
    names.map(name => db().collection(name).find().sort({ _id: 1 }).toArray()),
  )
  return JSON.stringify(documents.map((stored, i) => ({ [names[i] ?? '']: stored })))
}

async function expectNothingLeft({ user }: TestUser): Promise<void> {
  const left = await everything()
  for (const trace of [
    EMAIL,
    'Asha',
    '98765',
    'We have two.',
    'Rao Estates',
    'nova',
    'known-network',
    'passwordHash',
  ])
    expect(left).not.toContain(trace)
  expect(await db().collection('users').findOne({ _id: user._id })).toMatchObject({ status: 'deleted' })
  const emptied = ['userprofiles', 'apikeys', 'refreshtokens', 'mailoutbox', 'usageperiods']
  for (const collection of [...emptied, 'conversations', 'conversationturns'])
    expect(await db().collection(collection).countDocuments(), collection).toBe(0)
  for (const collection of ['leads', 'widgetconfigs'])
    expect(await db().collection(collection).distinct('ownerId'), collection).toEqual([])
}

beforeEach(() => emptyDatabase())

describe('an erasure', () => {
  it('needs the password again', async () => {
    const { user, password } = await settleIn()
    const before = await findUser(String(user._id))

    for (const wrong of [`${password}x`, '', password.toUpperCase()])
      await expect(deleteAccount(user, wrong, request)).rejects.toMatchObject({ code: 'unauthenticated' })

    expect(await findUser(String(user._id))).toEqual(before)
    expect(await db().collection('erasures').countDocuments()).toBe(0)
  })

  it('leaves nothing of the user, and a receipt that names nobody', async () => {
    const asha = await settleIn()
    const { user, password } = asha

    const receipt = await deleteAccount(user, password, request)

    expect(receipt).toEqual({
      receipt: String(user._id),
      requestedAt: NOW,
      completedAt: NOW,
      counts: {
        users: 1,
        userprofiles: 1,
        apikeys: 1,
        refreshtokens: 1,
        mailoutbox: 2,
        phonenumbers: 1,
        conversations: 1,
        conversationturns: 1,
        usageperiods: 1,
        widgetconfigs: 1,
      },
    })
    await expectNothingLeft(asha)
    expect(await db().collection('erasures').find().toArray()).toEqual([
      { _id: user._id, state: 'done', requestedAt: NOW, completedAt: NOW, counts: receipt.counts },
    ])
  })

  it('leaves nothing of a user of the old system, not even what we do not know', async () => {
    const _id = new ObjectId()
    const document = {
      email: EMAIL,
      password: await hashPassword('old password'),
      address: 'Asha’s house',
      resetPasswordToken: 'known-network',
      createdAt: NOW,
      updatedAt: NOW,
    }
    await db()
      .collection('users')
      .insertOne({ _id, ...document })
    const user = await findUser(String(_id))
    if (!user) throw new Error('the user was not stored')

    await deleteAccount(user, 'old password', request)

    expect(await db().collection('users').findOne({ _id })).toEqual({
      _id,
      email: `deleted:${_id}`,
      status: 'deleted',
      sessionVersion: 1,
      createdAt: NOW,
      updatedAt: NOW,
    })
  })

  it('ends tokens and keys, and frees number and address for others', async () => {
    const { user, password, sessionId, refreshToken, key } = await settleIn()
    expect(await findSessionUser(String(user._id), sessionId, 0, NOW)).toBeDefined()
    expect(await findApiKey(key, NOW)).toBeDefined()

    await deleteAccount(user, password, request)

    expect(await findSessionUser(String(user._id), sessionId, 0, NOW)).toBeUndefined()
    await expect(rotateSession(refreshToken, NOW)).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(await findApiKey(key, NOW)).toBeUndefined()
    const called = { to: NUMBER, sessionId: 'CA1' }
    await expect(admitCall({}, called, NOW)).rejects.toMatchObject({ code: 'not_found' })
    const again = await createUser({ email: EMAIL, passwordHash: 'x' }, NOW)
    expect(await assignPhoneNumber(again._id, NUMBER, NOW)).toBe(NUMBER)
    expect((await admitCall({}, called, NOW)).userId).toBe(String(again._id))
  })

  it.each([true, false])(
    'in the middle of a call leaves the rest of it to nobody, least of all to whose the number is next: admitted %s',
    async isAdmitted => {
      const { user, password } = await settleIn()
      const called = { to: NUMBER, sessionId: 'CA1' }
      const post = () => saveConversation(ConversationInput.parse(turnPost(called)), {}, NOW)
      if (isAdmitted) await admitCall({}, called, NOW)
      await post()

      await deleteAccount(user, password, request)
      const next = await createTestUser()
      await assignPhoneNumber(next.user._id, NUMBER, NOW)

      await expect(post()).rejects.toMatchObject({ code: 'not_found' })
      await expect(admitCall({}, called, NOW)).rejects.toMatchObject({ code: 'not_found' })
      for (const collection of ['conversations', 'conversationturns', 'usageperiods'])
        expect(await db().collection(collection).countDocuments(), collection).toBe(0)
    },
  )

  it('leaves to nobody the rest of a call whose first post is under way, at any interleaving', async () => {
    for (let writes = 0, paused = true; paused; writes++) {
      await emptyDatabase()
      const { user, password } = await createTestUser()
      await addPhoneNumbers([{ phoneNumber: NUMBER }], NOW)
      await assignPhoneNumber(user._id, NUMBER, NOW)
      const called = turnPost({ to: NUMBER, sessionId: 'CA1' })
      const post = () => saveConversation(ConversationInput.parse(called), {}, NOW)
      // It has found whose the call is, and is about to store it.
      const first = await pauseAfterWrites(1, post)

      const erasing = await pauseAfterWrites(writes, () => deleteAccount(user, password, request))
      await first.finish()
      paused = erasing.paused
      await erasing.finish()
      const next = await createTestUser()
      await assignPhoneNumber(next.user._id, NUMBER, NOW)
      await post().catch(() => {})
      const calls = db().collection('conversations')
      expect(await calls.countDocuments({ userId: next.user._id }), `after ${writes} writes`).toBe(0)

      await finishErasures(LATER)
      await expect(post()).rejects.toMatchObject({ code: 'not_found' })
      expect(await calls.countDocuments()).toBe(0)
    }
  })

  it('takes leads and chats from the user with the projects, those of captures that were under way too', async () => {
    const { user, password } = await settleIn()
    const capture = async (projectId: string, ownerId = user._id) => {
      const conversation = [{ id: 'a', type: 'user', text: 'hello' }]
      const lead = storedLead({ projectId, ownerId, conversation })
      await (await leads.open()).insertOne(lead)
      await saveLeadSession(lead)
    }
    const owners = async () =>
      Promise.all(['leads', 'chatsessions'].map(name => db().collection(name).distinct('ownerId')))
    const [second, others] = ['skyline-towers', 'of-ravi']
    const ravi = new ObjectId()
    for (const [projectId, ownerId] of [
      [second, user._id],
      [others, ravi],
    ] as const) {
      await db()
        .collection('widgetconfigs')
        .insertOne(storedWidgetConfig({ projectId, ownerId, domains: [] }))
      await capture(projectId, ownerId)
    }
    await capture('nivasa-enchante')

    const { counts } = await deleteAccount(user, password, request)

    expect(counts.widgetconfigs).toBe(2)
    expect(await owners()).toEqual([[ravi], [ravi]])
    await capture(second)
    expect(await finishHandOvers(new Date(NOW.getTime() + 2 * MINUTE_MS))).toBe(2)
    expect(await owners()).toEqual([[ravi], [ravi]])
    expect(await db().collection('widgetconfigs').distinct('ownerId')).toEqual([ravi])
  })

  it('touches nobody else', async () => {
    const { user, password } = await settleIn()
    const other = await createTestUser({ email: 'ravi@example.com' })
    await updateUserPreferences(other.user._id, { voiceModel: 'onyx' }, NOW)
    await saveCall(other.user._id)
    await enqueueMail('verify-email', 'ravi@example.com', NOW)

    await deleteAccount(user, password, request)

    expect(await findSessionUser(String(other.user._id), other.sessionId, 0, NOW)).toBeDefined()
    expect(await db().collection('userprofiles').countDocuments()).toBe(1)
    expect(await db().collection('mailoutbox').countDocuments()).toBe(1)
    expect(await db().collection('conversations').countDocuments()).toBe(1)
    expect(await db().collection('conversationturns').countDocuments()).toBe(1)
  })
})

describe('an erasure that a crash interrupted', () => {
  it('after any write is finished by maintenance, once no request can be at it', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await emptyDatabase()
      const asha = await settleIn()

      ended = await crashAfterWrites(writes, () => deleteAccount(asha.user, asha.password, request))
      const begun = (await db().collection('erasures').countDocuments()) === 1
      const early = await everything()
      await finishErasures(new Date(NOW.getTime() + 9 * MINUTE_MS))
      expect(await everything(), `after ${writes} writes`).toBe(early)
      await finishErasures(LATER)
      await finishErasures(NEXT_RUN)
      await finishHandOvers(LATER)

      if (begun) await expectNothingLeft(asha)
      else expect(await findSessionUser(String(asha.user._id), asha.sessionId, 0, NOW)).toBeDefined()
      expect(
        await db()
          .collection('erasures')
          .countDocuments({ state: { $ne: 'settled' } }),
      ).toBe(0)
      if (ended === 'done')
        expect(await db().collection('erasures').findOne()).toMatchObject({
          completedAt: NOW,
          counts: { users: 1 },
        })
    }
  })

  it('leaves alone who registers with the same address meanwhile', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await emptyDatabase()
      const { user, password } = await settleIn()
      ended = await crashAfterWrites(writes, () => deleteAccount(user, password, request))
      if (await (await users.open()).findOne({ email: EMAIL })) continue

      const again = await createUser({ email: EMAIL, passwordHash: 'x', name: 'Asha' }, NOW)
      await enqueueMail('verify-email', EMAIL, NOW)
      await finishErasures(LATER)

      expect(await findUser(String(again._id)), `after ${writes} writes`).toMatchObject({ name: 'Asha' })
      expect(await db().collection('mailoutbox').findOne()).toMatchObject({ to: EMAIL, state: 'due' })
    }
  })

  it('is reported, and gone through once', async () => {
    const first = await settleIn()
    await crashAfterWrites(7, () => deleteAccount(first.user, first.password, request))
    const second = await createTestUser()
    await deleteAccount(second.user, second.password, request)

    expect(await finishErasures(LATER)).toEqual({ interrupted: 1, settled: 1 })
    expect(await finishErasures(NEXT_RUN)).toEqual({ interrupted: 0, settled: 1 })
    expect(await finishErasures(NEXT_RUN)).toEqual({ interrupted: 0, settled: 0 })
  })

  it('is gone through once more after it was finished, for what was under way then', async () => {
    const asha = await settleIn()
    await crashAfterWrites(7, () => deleteAccount(asha.user, asha.password, request))
    await finishErasures(LATER)
    await updateUserPreferences(asha.user._id, { voiceModel: 'nova' }, LATER)

    expect(await finishErasures(new Date(LATER.getTime() + 9 * MINUTE_MS))).toMatchObject({ settled: 0 })
    await updateUserPreferences(asha.user._id, { voiceModel: 'nova' }, LATER)
    expect(await finishErasures(NEXT_RUN)).toEqual({ interrupted: 0, settled: 1 })

    await expectNothingLeft(asha)
  })

  it('is settled where the account itself is not there any more', async () => {
    await (await erasures.open()).insertOne({ _id: new ObjectId(), state: 'running', requestedAt: NOW })

    expect(await finishErasures(LATER)).toEqual({ interrupted: 1, settled: 0 })
    expect(await finishErasures(NEXT_RUN)).toEqual({ interrupted: 0, settled: 1 })
  })
})

describe('a request that was under way', () => {
  it.each([
    ['changes preferences', (id: ObjectId) => updateUserPreferences(id, { voiceModel: 'nova' }, NOW)],
    ['takes a number', (id: ObjectId) => assignPhoneNumber(id, undefined, NOW)],
    [
      'saves a call',
      (id: ObjectId) => saveCall(id).catch(error => expect(error).toMatchObject({ code: 'not_found' })),
    ],
    ['makes a key', (id: ObjectId) => createApiKey({ scopes: ['leads:read'] }, id, NOW)],
  ])('and %s brings nothing back for longer than until maintenance', async (_, work) => {
    for (let writes = 0, paused = true; paused; writes++) {
      await emptyDatabase()
      await addPhoneNumbers([{ phoneNumber: NUMBER }], NOW)
      const asha = await createTestUser({ email: EMAIL })

      const underWay = await pauseAfterWrites<unknown>(writes, () => work(asha.user._id))
      await deleteAccount(asha.user, asha.password, request)
      await underWay.finish()
      await finishErasures(LATER)

      paused = underWay.paused
      await expectNothingLeft(asha)
      expect(await db().collection('phonenumbers').find().toArray()).toEqual([
        { _id: NUMBER, createdAt: NOW },
      ])
    }
  })
})

describe('an export', () => {
  it('has everything that is stored of a user, and no secret', async () => {
    const { user, key } = await settleIn()

    const exported = await exportAccount(user, LATER)

    expect(exported).toEqual({
      exportedAt: LATER,
      account: {
        id: String(user._id),
        _id: String(user._id),
        email: EMAIL,
        name: 'Asha Rao',
        phone: '+91 98765 43210',
        role: 'user',
        status: 'active',
        emailVerified: true,
        createdAt: user.createdAt,
        updatedAt: user.updatedAt,
        profile: {
          preferences: { voiceModel: 'nova', aiModel: 'gpt-4', responseLength: 'medium', language: 'en' },
          subscription: { plan: 'free' },
          usage: await checkUsageLimits(user, LATER),
          businessInfo: { company: 'Rao Estates' },
          assignedPhoneNumber: NUMBER,
        },
      },
      lastLoginAt: NOW,
      sessions: [{ createdAt: expect.any(Date), expiresAt: expect.any(Date) }],
      mails: [
        { kind: 'reset-password', state: 'due', requestedAt: NOW },
        { kind: 'verify-email', state: 'due', requestedAt: NOW },
      ],
      projects: ['nivasa-enchante'],
      usage: [expect.objectContaining({ plan: 'free', calls: { used: 1, limit: 10, remaining: 9 } })],
    })
    const text = JSON.stringify(exported)
    for (const secret of [key, user.passwordHash ?? '', 'known-network', ...SESSION_SECRETS])
      expect(text).not.toContain(secret)
  })

  it('has nothing of anybody else', async () => {
    await settleIn()
    const { user } = await createTestUser({ email: 'ravi@example.com' })

    expect(await exportAccount(user, LATER)).toMatchObject({
      account: { email: 'ravi@example.com', profile: { assignedPhoneNumber: null } },
      lastLoginAt: null,
      sessions: [expect.anything()],
      mails: [],
      projects: [],
      usage: [],
    })
  })
})
