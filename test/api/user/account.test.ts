import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it } from 'vitest'
import loginRoute from '../../../api/auth/login.js'
import meRoute from '../../../api/auth/me.js'
import refreshRoute from '../../../api/auth/refresh.js'
import registerRoute from '../../../api/auth/register.js'
import conversationsRoute from '../../../api/conversations/index.js'
import cronRoute from '../../../api/cron/maintain.js'
import leadsRoute from '../../../api/leads/index.js'
import assignRoute from '../../../api/user/assign-phone.js'
import exportRoute from '../../../api/user/export.js'
import userRoute from '../../../api/user/index.js'
import { createApiKey } from '../../../lib/domain/accounts/api-keys.js'
import { saveLeadSession } from '../../../lib/domain/chats/chat-sessions.js'
import { leads } from '../../../lib/domain/leads/leads.js'
import { addPhoneNumbers } from '../../../lib/domain/phones/phone-numbers.js'
import { widgetConfigs } from '../../../lib/domain/widgets/widget-configs.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../../support/fixtures/background-tasks.js'
import { oldConversation, turnPost } from '../../support/fixtures/calls.js'
import { storedLead } from '../../support/fixtures/leads.js'
import { storedWidgetConfig } from '../../support/fixtures/widget-configs.js'
import { adminToken, call } from '../../support/request.js'
import { createTestUser } from '../../support/users.js'

const NUMBER = '+918047101234'

interface Answer {
  data: Record<string, unknown> & { profile: { assignedPhoneNumber: string | null } }
  token: string
  user: { id: string }
}

trackBackgroundTasks()
beforeEach(() => emptyDatabase())

async function register(email: string, password: string) {
  const body = { email, password, name: 'Asha Rao' }
  return call<Answer>(registerRoute, 'POST', '/api/auth/register', { body })
}

describe('leaving', () => {
  const leave = (token: string, body?: unknown) =>
    call<Answer>(userRoute, 'DELETE', '/api/user', { token, body })

  it('needs the password again', async () => {
    const { token, password } = await createTestUser()

    expect(await leave(token, { password: `${password}!` })).toMatchObject({
      status: 401,
      body: { code: 'unauthenticated', message: 'The e-mail address or the password is wrong.' },
    })
    for (const body of [undefined, {}, { password: '' }, { password: { $ne: '' } }])
      expect(await leave(token, body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect((await call(meRoute, 'GET', '/api/auth/me', { token })).status).toBe(200)
  })

  it('ends everything at once, and can be begun anew', async () => {
    await addPhoneNumbers([{ phoneNumber: NUMBER }], new Date())
    const asha = await createTestUser({ email: 'asha@example.com' })
    const { token, refreshToken, password, user } = asha
    const { key } = await createApiKey({ scopes: ['leads:read'] }, user._id, new Date())
    await call(assignRoute, 'POST', '/api/user/assign-phone', { token })
    const leads = () => call(leadsRoute, 'GET', '/api/leads', { headers: { 'x-api-key': key } })
    expect((await leads()).status).toBe(200)

    const left = await leave(token, { password })

    expect(left).toMatchObject({
      status: 200,
      body: {
        success: true,
        data: {
          receipt: String(user._id),
          requestedAt: expect.stringMatching(/^\d{4}-.*Z$/),
          counts: { users: 1, userprofiles: 1, apikeys: 1, refreshtokens: 1, phonenumbers: 1 },
        },
      },
    })
    expect(left.headers.getSetCookie()).toHaveLength(2)
    expect(left.headers.getSetCookie().every(cookie => /Max-Age=0/.test(cookie))).toBe(true)
    expect((await call(meRoute, 'GET', '/api/auth/me', { token })).status).toBe(401)
    const refresh = { body: { refreshToken } }
    expect((await call(refreshRoute, 'POST', '/api/auth/refresh', refresh)).status).toBe(401)
    const login = { body: { email: 'asha@example.com', password } }
    expect((await call(loginRoute, 'POST', '/api/auth/login', login)).status).toBe(401)
    expect((await leads()).status).toBe(401)
    expect((await leave(token, { password })).status).toBe(401)

    const again = await register('Asha@Example.com', 'another password')
    expect(again.status).toBe(201)
    const assigned = await call<Answer>(assignRoute, 'POST', '/api/user/assign-phone', {
      token: again.body.token,
      body: { phoneNumber: NUMBER },
    })
    expect(assigned.body.data.profile.assignedPhoneNumber).toBe(NUMBER)
  })

  it('that a crash interrupted is finished by the cron', async () => {
    const { user, token } = await createTestUser({ name: 'Asha Rao' })
    const requestedAt = new Date(Date.now() - 11 * 60_000)
    const erasures = testDatabase().db.collection<{ _id: unknown }>('erasures')
    await erasures.insertOne({ _id: user._id, state: 'running', requestedAt } as { _id: unknown })

    const { body } = await call<{ jobs: object[] }>(cronRoute, 'GET', '/api/cron/maintain', {
      token: adminToken(),
    })

    expect(body.jobs).toContainEqual(
      expect.objectContaining({ name: 'erasures', ok: true, result: { interrupted: 1, settled: 0 } }),
    )
    expect((await call(meRoute, 'GET', '/api/auth/me', { token })).status).toBe(401)
    expect(await testDatabase().db.collection('users').findOne({ _id: user._id })).not.toHaveProperty('name')
  })
})

describe('the export', () => {
  it('is everything of the signed-in user, without a secret', async () => {
    const { body: registered } = await register('asha@example.com', 'correct horse')
    await backgroundTasksDone()
    const userId = ObjectId.createFromHexString(registered.user.id)
    const { key } = await createApiKey({ scopes: ['leads:read'], name: 'CRM' }, userId, new Date())

    const answer = await call<Answer>(exportRoute, 'GET', '/api/user/export', { token: registered.token })

    expect(answer).toMatchObject({
      status: 200,
      body: {
        success: true,
        data: {
          account: {
            email: 'asha@example.com',
            name: 'Asha Rao',
            profile: { subscription: { plan: 'free' } },
          },
          apiKeys: [{ name: 'CRM', scopes: ['leads:read'] }],
          sessions: [{}],
          mails: [{ kind: 'verify-email' }],
          projects: [],
        },
      },
    })
    expect(answer.text).not.toMatch(/hash|\$2[aby]\$|llr_|secret|sessionVersion|knownNetworks/i)
    expect(answer.text).not.toContain(key.slice(12))
    expect((await call(exportRoute, 'GET', '/api/user/export')).status).toBe(401)
  })

  it('has every call of the user and every turn, those of the old system too, and nobody else’s', async () => {
    const [asha, ravi] = [await createTestUser(), await createTestUser()]
    const old = oldConversation(asha.user._id)
    await testDatabase().db.collection('conversations').insertOne(old)
    for (const { user } of [asha, ravi])
      for (const turnId of [1, 2]) {
        const body = turnPost({ userId: String(user._id), to: NUMBER, sessionId: `s-${user._id}`, turnId })
        await call(conversationsRoute, 'POST', '/api/conversations', { body, token: adminToken() })
      }

    const { body } = await call<Answer>(exportRoute, 'GET', '/api/user/export', { token: asha.token })

    const sessionId = `s-${asha.user._id}`
    expect(body.data).toMatchObject({
      conversations: [
        { sessionId, phoneNumber: '+919876501234', calledNumber: NUMBER },
        {
          sessionId: old.sessionId,
          calledNumber: null,
          turns: [{ audioUrl: old.audioUrl, metadata: old.metadata }],
        },
      ],
      conversationTurns: [
        { sessionId, aiResponse: 'We have two.' },
        { sessionId, aiResponse: 'We have two.' },
      ],
    })
    expect(JSON.stringify(body)).not.toContain(String(ravi.user._id))
  })

  it('has the projects of the user with what was captured and suggested, and nobody else’s', async () => {
    const [asha, ravi] = [await createTestUser(), await createTestUser()]
    const past = { revision: 1, settings: { domains: [], agentName: 'Before' }, replacedAt: new Date() }
    for (const { user } of [asha, ravi]) {
      const ownerId = user._id
      const [projectId, microsite] = [`of-${ownerId}`, `of-${ownerId}`]
      const suggestion = { propertyInfo: { projectName: 'From the page' }, suggestedAt: new Date() }
      const revisions = [{ ...past, replacedBy: `user:${ownerId}` }]
      const config = { projectId, ownerId, agentName: 'Riya', revision: 2, revisions, suggestion }
      await (await widgetConfigs.open()).insertOne(storedWidgetConfig(config))
      const conversation = [{ id: 'a', type: 'user', text: 'hello' }]
      const lead = storedLead({ projectId, microsite, ownerId, conversation })
      const spam = { score: 1, reasons: ['honeypot'] }
      const quarantined = storedLead({ projectId, microsite, ownerId, name: 'Bot', quarantined: true, spam })
      await (await leads.open()).insertMany([lead, quarantined])
      await saveLeadSession(lead)
    }

    const { body, text } = await call<Answer>(exportRoute, 'GET', '/api/user/export', { token: asha.token })

    const projectId = `of-${asha.user._id}`
    expect(body.data).toMatchObject({
      projects: [projectId],
      widgetConfigs: [
        {
          current: { projectId, agentName: 'Riya' },
          suggestion: { propertyInfo: { projectName: 'From the page' } },
          items: [{ revision: 1, config: { agentName: 'Before' } }],
        },
      ],
      chatSessions: [{ projectId }],
    })
    const exported = body.data as unknown as { leads: { projectId: string; name?: string }[] }
    expect(exported.leads.map(lead => lead.projectId)).toEqual([projectId, projectId])
    expect(exported.leads.map(({ name }) => name)).toContain('Bot')
    expect(text).not.toContain(String(ravi.user._id))
    expect(text).not.toMatch(/ownerId|searchKeys/)
  })
})
