import { beforeEach, describe, expect, it } from 'vitest'
import chatSessionsRoute from '../../api/chat-sessions/index.js'
import leadsRoute from '../../api/leads/index.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { emptyDatabase } from '../support/database.js'
import { backgroundTasksDone, trackBackgroundTasks } from '../support/fixtures/background-tasks.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { type CallOptions, call } from '../support/request.js'
import { createTestUser, type TestUser } from '../support/users.js'

// Nothing says whose a microsite is: who has a project of their own may name that of others in what they capture. It
// must tell them nothing of the visitors there, and take none away.

const SITE = 'lake.example'

let victim: TestUser
let attacker: TestUser

trackBackgroundTasks()

beforeEach(async () => {
  await emptyDatabase()
  ;[victim, attacker] = await Promise.all([createTestUser(), createTestUser()])
  await (await widgetConfigs.open()).insertMany([
    storedWidgetConfig({ projectId: 'lake', ownerId: victim.user._id }),
    storedWidgetConfig({ projectId: 'attackers', ownerId: attacker.user._id }),
  ])
})

/** What a widget sends that counts its messages, and names its project. */
function submission(projectId: string, text: string) {
  const conversation = [
    { id: 'm1', type: 'system', text: 'Your number?' },
    { id: 'm2', type: 'user', text },
  ]
  return { phone: '+919876501234', microsite: SITE, metadata: { projectId }, conversation }
}

async function submit(projectId: string, text: string, options: CallOptions = {}) {
  const body = submission(projectId, text)
  const answer = await call(leadsRoute, 'POST', '/api/leads', { body, ...options })
  await backgroundTasksDone()
  return answer
}

interface Listed {
  items: {
    conversation: { text: string }[]
    submissions?: number
    duplicateOf?: string
    lastSeenAt?: string
  }[]
}

const leadsOf = async ({ headers }: TestUser) =>
  (await call<Listed>(leadsRoute, 'GET', '/api/leads', { headers })).body.items

const chatsOf = async ({ headers }: TestUser) =>
  (await call<Listed>(chatSessionsRoute, 'GET', '/api/chat-sessions', { headers })).body.items

describe('who names the microsite of others', () => {
  it.each([
    ['after them', 'lake', 'attackers'],
    ['before them', 'attackers', 'lake'],
  ])('%s is not told that a phone is known there, and takes no lead away', async (_, first, second) => {
    await submit(first, `of ${first}`)
    await submit(second, `of ${second}`)

    for (const [user, projectId] of [
      [victim, 'lake'],
      [attacker, 'attackers'],
    ] as const) {
      const [lead, ...others] = await leadsOf(user)
      expect(others).toEqual([])
      expect(lead?.conversation.at(-1)?.text).toBe(`of ${projectId}`)
      expect(lead).toMatchObject({ submissions: 1 })
      expect(lead).not.toHaveProperty('duplicateOf')
    }
  })

  it('has no Idempotency-Key in common with its visitors', async () => {
    const options = { headers: { 'idempotency-key': 'key-1' } }

    expect((await submit('attackers', 'one', options)).status).toBe(201)
    expect((await submit('lake', 'two', options)).status).toBe(201)
    expect(await leadsOf(victim)).toHaveLength(1)
  })

  it.each([{ sessionId: 'chat-1' }, {}])('reads no chat that it began first (%j)', async ids => {
    const say = (projectId: string, text: string) =>
      call(chatSessionsRoute, 'POST', '/api/chat-sessions', {
        body: { ...submission(projectId, text), ...ids },
      })

    expect((await say('attackers', 'hm')).status).toBe(201)
    expect((await say('lake', 'secret')).status).toBe(201)

    expect((await chatsOf(victim)).map(({ conversation }) => conversation.at(-1)?.text)).toEqual(['secret'])
    expect(JSON.stringify(await chatsOf(attacker))).not.toContain('secret')
  })
})
