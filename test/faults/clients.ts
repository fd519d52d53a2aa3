import { setTimeout as sleep } from 'node:timers/promises'
import type { ObjectId } from 'mongodb'
import { expect, vi } from 'vitest'
import { closeDatabase } from '../../lib/db/client.js'
import { createApiKey } from '../../lib/domain/accounts/api-keys.js'
import { recount } from '../../lib/domain/events/recount.js'
import { followUpPending } from '../../lib/domain/leads/lead-follow-up.js'
import { assignPhoneNumber } from '../../lib/domain/phones/phone-assignments.js'
import { addPhoneNumbers } from '../../lib/domain/phones/phone-numbers.js'
import type { ServedRoute } from '../../lib/http/serve.js'
import { deployBilling, sessionOf, sign, startStripe } from '../api/billing/billing-api.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { type Answer, type CallOptions, call } from '../support/request.js'
import { createTestUser } from '../support/users.js'

/** The kinds of clients there are, in the order of the tables. */
export const CLIENTS = [
  'config',
  'capture',
  'event',
  'list',
  'login',
  'call',
  'admission',
  'webhook',
  'cron',
] as const
export type Client = (typeof CLIENTS)[number]

export interface Seen extends Pick<Answer<unknown>, 'status' | 'headers' | 'text'> {
  milliseconds: number
}

/** A deployment with somebody of each kind who asks of it, each the same again and again, as who retries does. */
export interface Clients {
  /** Starts an instance anew: nothing is connected, read or remembered. */
  deploy(uri: string): Promise<void>
  ask(client: Client): Promise<Seen>
  askAll(): Promise<Record<Client, Seen>>
  /** Has each client ask until it gets what it wants; how many milliseconds that took each. */
  recover(): Promise<Record<Client, number>>
  /** Fails where anything that was acknowledged is not there, or is there or counted twice. */
  expectOnce(): Promise<void>
  close(): Promise<void>
}

const NUMBER = '+918047101234'
const CRON_SECRET = 'cron-secret-of-the-tests'
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** Sets up, in the empty database of the test, an account with a number, a key and a purchase that is being paid. */
export async function startClients(): Promise<Clients> {
  await emptyDatabase()
  const { stripe, environment } = await startStripe()
  const owner = await createTestUser()
  const buyer = await createTestUser({ plainPassword: null })
  const billing = await deployBilling(environment)
  const [paid] = stripe.pay(sessionOf(await billing.checkout(buyer, 'basic')))
  await addPhoneNumbers([{ phoneNumber: NUMBER }], new Date())
  await assignPhoneNumber(owner.user._id, NUMBER, new Date())
  const limits = { userIds: [String(owner.user._id)] }
  const { key } = await createApiKey({ scopes: ['calls:write'], ...limits }, undefined, new Date())
  await closeDatabase()

  const service = { 'x-api-key': key }
  const payload = JSON.stringify(paid)
  const conversation = [{ id: 'm1', type: 'user', text: 'Hello', timestamp: 1 }]
  const turn = { userMessage: 'Is it by the lake?', aiResponse: 'It is.', turnId: 1 }
  const requests: Record<Client, [method: string, path: string, options: CallOptions]> = {
    config: ['GET', '/api/widget-config/site', {}],
    capture: ['POST', '/api/leads', { body: { microsite: 'site', phone: '9811100000', conversation } }],
    event: ['POST', '/api/events', { body: { type: 'chat_shown', projectId: 'site', id: 'e1' } }],
    list: ['GET', '/api/leads', { headers: owner.headers }],
    login: ['POST', '/api/auth/login', { body: { email: owner.user.email, password: owner.password } }],
    call: [
      'POST',
      '/api/conversations',
      {
        headers: service,
        body: {
          to: NUMBER,
          phoneNumber: '+919876501234',
          sessionId: 'CA1',
          ...turn,
          duration: 61,
          status: 'completed',
        },
      },
    ],
    admission: ['POST', '/api/calls/admit', { headers: service, body: { to: NUMBER, sessionId: 'CA2' } }],
    webhook: [
      'POST',
      '/api/billing/webhook',
      { headers: { 'stripe-signature': sign(payload) }, body: payload },
    ],
    cron: ['GET', '/api/cron/maintain', { token: CRON_SECRET }],
  }
  let routes: Record<Client, ServedRoute>

  async function ask(client: Client): Promise<Seen> {
    const startedAt = performance.now()
    const { status, headers, text } = await call(routes[client], ...requests[client])
    return { status, headers, text, milliseconds: Math.round(performance.now() - startedAt) }
  }

  return {
    async deploy(uri) {
      await closeDatabase()
      for (const [name, value] of Object.entries({ ...environment, MONGO_URI: uri, CRON_SECRET }))
        vi.stubEnv(name, value)
      vi.resetModules()
      const [config, leads, event, login, calls, admission, webhook, cron] = await Promise.all([
        import('../../api/widget-config/[projectId].js'),
        import('../../api/leads/index.js'),
        import('../../api/events/index.js'),
        import('../../api/auth/login.js'),
        import('../../api/conversations/index.js'),
        import('../../api/calls/admit.js'),
        import('../../api/billing/webhook.js'),
        import('../../api/cron/maintain.js'),
      ])
      routes = {
        config: config.default,
        capture: leads.default,
        event: event.default,
        list: leads.default,
        login: login.default,
        call: calls.default,
        admission: admission.default,
        webhook: webhook.default,
        cron: cron.default,
      }
    },
    ask,
    askAll: () => forEachClient(ask),
    recover() {
      const startedAt = performance.now()
      return forEachClient(async client => {
        for (;;) {
          const seen = await ask(client)
          if (isServed(client, seen)) return Math.round(performance.now() - startedAt)
          await sleep(50)
        }
      })
    },
    async expectOnce() {
      await closeDatabase()
      vi.stubEnv('MONGO_URI', testDatabase().uri)
      await expectOnce(owner.user._id, buyer.user._id)
    },
    async close() {
      await closeDatabase()
      await stripe.close()
    },
  }
}

/** Whether a client got what it asked for. Maintenance says in its report what of it failed. */
export function isServed(client: Client, { status, text }: Seen): boolean {
  return status < 300 && (client !== 'cron' || (JSON.parse(text) as { ok: boolean }).ok)
}

export async function forEachClient<T>(work: (client: Client) => Promise<T>): Promise<Record<Client, T>> {
  const done = await Promise.all(CLIENTS.map(async client => [client, await work(client)] as const))
  return Object.fromEntries(done) as Record<Client, T>
}

/** What the database has of all that the clients sent, after what maintenance does when its time has come. */
async function expectOnce(owner: ObjectId, buyer: ObjectId): Promise<void> {
  const { db } = testDatabase()
  const now = Date.now()
  // What a crash or an outage keeps from being counted is for maintenance, which leaves alone what may be under way.
  await followUpPending(new Date(now + 2 * MINUTE_MS))
  for (const day of [now, now - DAY_MS]) await recount(new Date(Math.floor(day / DAY_MS) * DAY_MS))
  const all = (name: string) => db.collection(name).find().toArray()

  expect(await all('leads')).toMatchObject([{ microsite: 'site', phone: '+919811100000', submissions: 1 }])
  expect(await all('chatsessions')).toHaveLength(1)
  expect(await all('events')).toHaveLength(1)
  const counts = (await all('eventcounts')).filter(({ count }) => count > 0)
  expect(counts.map(({ _id, count }) => [(_id as unknown as { type: string }).type, count]).sort()).toEqual([
    ['chatsShown', 1],
    ['leadsCaptured', 1],
  ])
  const periodId = expect.any(String)
  expect(await all('conversations')).toMatchObject([
    { sessionId: 'CA1', metered: { periodId, calls: 1, seconds: 61 } },
  ])
  expect(await all('conversationturns')).toHaveLength(1)
  // One that was saved, and one that was admitted.
  const usage = await db.collection('usageperiods').find({ userId: owner }).toArray()
  expect(usage).toMatchObject([{ calls: 2, seconds: 61 }])
  const profile = await db.collection('userprofiles').findOne({ userId: buyer })
  expect(profile?.subscription).toMatchObject({ plan: 'basic', status: 'active' })
  expect(await all('stripeevents')).toMatchObject([{ state: 'done' }])
}
