import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites } from '../../support/failpoint.js'
import type { StripeEventPayload, StripeServer } from '../../support/stripe-server.js'
import { createTestUser, type TestUser } from '../../support/users.js'
import {
  type BillingApi,
  deployBilling,
  sessionOf,
  sign,
  startStripe,
  WEBHOOK_SECRET,
} from './billing-api.js'

const MINUTE_MS = 60_000

let stripe: StripeServer
let environment: Record<string, string>
let api: BillingApi
let user: TestUser
let completed: StripeEventPayload

const events = () => testDatabase().db.collection<{ _id: string }>('stripeevents')
const planOf = async ({ user: { _id } }: TestUser) =>
  (await testDatabase().db.collection('userprofiles').findOne({ userId: _id }))?.subscription?.plan

beforeAll(async () => {
  const started = await startStripe()
  stripe = started.stripe
  environment = started.environment
  api = await deployBilling(environment)
})
afterAll(() => stripe.close())
beforeEach(async () => {
  await emptyDatabase()
  user = await createTestUser({ plainPassword: null })
  const [first] = stripe.pay(sessionOf(await api.checkout(user, 'basic')))
  if (!first) throw new Error('nothing was bought')
  completed = first
  stripe.requests.length = 0
})
afterEach(() => {
  stripe.fail = undefined
})

describe('a signature', () => {
  const payload = () => JSON.stringify(completed)
  const send = (signature: string | null, body: string | Uint8Array = payload()) =>
    api.webhook(body, { headers: { 'stripe-signature': signature } })

  it('is of the bytes, whatever they look like', async () => {
    const spaced = ` ${JSON.stringify(completed, null, 7)}\n`

    expect((await send(sign(spaced), JSON.stringify(JSON.parse(spaced)))).status).toBe(400)
    expect(await send(sign(spaced), spaced)).toMatchObject({ status: 200, body: { received: true } })
    expect(await planOf(user)).toBe('basic')
  })

  it('may be one of two while a secret is replaced', async () => {
    const [time, replaced] = sign(payload(), 'whsec_of_last_week').split(',')
    const [, current] = sign(payload()).split(',')

    expect((await send(`${time},${replaced},${current}`)).status).toBe(200)
  })

  it.each<[string, () => string | null]>([
    ['is missing', () => null],
    ['is empty', () => ''],
    ['is another body’s', () => sign(`${payload()} `)],
    ['is made with another secret', () => sign(payload(), `${WEBHOOK_SECRET}x`)],
    [
      'is older than five minutes',
      () => sign(payload(), WEBHOOK_SECRET, new Date(Date.now() - 6 * MINUTE_MS)),
    ],
    ['is of another scheme', () => sign(payload()).replace('v1=', 'v0=')],
    ['has another time', () => sign(payload()).replace(/t=\d+/, `t=${Math.floor(Date.now() / 1_000) + 1}`)],
    ['is nothing of the kind', () => 't=,v1='],
  ])('that %s is refused, and nothing is done', async (_, signature) => {
    expect(await send(signature())).toMatchObject({ status: 400, body: { code: 'invalid_request' } })

    expect(stripe.requests).toEqual([])
    expect(await events().countDocuments()).toBe(0)
    expect(await planOf(user)).toBe('free')
  })

  it.each([
    ['nothing', ''],
    ['what is not JSON', '{"id":'],
    ['null', 'null'],
    ['an event without an object', '{"id":"evt_1","type":"invoice.paid","data":{}}'],
    [
      'an operator for an id',
      '{"id":{"$ne":""},"type":"invoice.paid","data":{"object":{"object":"invoice"}}}',
    ],
    ['a thin event', '{"id":"evt_1","object":"v2.core.event","type":"v1.billing.meter.no_meter_found"}'],
  ])('of %s is refused too', async (_, body) => {
    expect((await send(sign(body), body)).status).toBe(400)
  })

  it('of what is not UTF-8 is refused, and so is more than a megabyte', async () => {
    const bytes = Buffer.concat([Buffer.from(payload()), Buffer.from([0xff])])

    expect((await send(sign(bytes.toString('latin1')), bytes)).status).toBe(400)
    const large = `${payload()}${' '.repeat(1024 * 1024)}`
    expect((await send(sign(large), large)).status).toBe(413)
  })
})

describe('an event', () => {
  it('that comes 64 times at once has one effect', async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, () => api.deliver(completed)))

    const statuses = answers.map(({ status }) => status)
    expect(statuses).toContain(200)
    expect(statuses.filter(status => status !== 200 && status !== 409)).toEqual([])
    expect(stripe.asked('GET subscriptions')).toHaveLength(1)
    expect(await events().find().toArray()).toMatchObject([{ _id: completed.id, state: 'done' }])
    expect(await planOf(user)).toBe('basic')

    expect((await api.deliver(completed)).status).toBe(200)
    expect(stripe.asked('GET subscriptions')).toHaveLength(1)
  })

  it('whose work a crash interrupts is dealt with when it comes again', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await testDatabase()
        .db.collection('userprofiles')
        .updateMany({}, { $set: { 'subscription.plan': 'free' } })
      await events().deleteMany({})
      const { receiveStripeEvent } = await import('../../../lib/domain/billing/stripe-events.js')
      const payload = JSON.stringify(completed)
      const deliver = (now: Date) =>
        receiveStripeEvent(Buffer.from(payload), sign(payload), { now, logFailure: () => {} })
      const now = new Date()

      ended = await crashAfterWrites(writes, () => deliver(now))
      if (ended === 'crashed') {
        if ((await events().countDocuments({ state: 'processing' })) > 0)
          await expect(deliver(now)).rejects.toMatchObject({ code: 'conflict' })
        await deliver(new Date(now.getTime() + MINUTE_MS))
      }

      expect(await planOf(user), `after ${writes} writes`).toBe('basic')
      expect(await events().findOne()).toMatchObject({ _id: completed.id, state: 'done' })
    }
  })

  it.each([[500], [503], [429], ['reset'] as const])(
    'that cannot be read about (%s) is asked for again, and dealt with then',
    async failure => {
      stripe.fail = () => failure
      const refused = await api.deliver(completed)
      expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } })
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await planOf(user)).toBe('free')

      stripe.fail = undefined
      expect((await api.deliver(completed)).status).toBe(200)
      expect(await planOf(user)).toBe('basic')
    },
  )

  it('that is none of ours is taken, and neither looked into nor kept', async () => {
    const [, id = ''] = [...stripe.customers.keys()]
    const other = stripe.event('payment_intent.succeeded', {
      id: 'pi_1',
      object: 'payment_intent',
      customer: id,
    })
    const nobodys = stripe.event('invoice.paid', { id: 'in_1', object: 'invoice', customer: null })

    for (const event of [other, nobodys]) expect((await api.deliver(event)).status).toBe(200)

    expect(stripe.requests).toEqual([])
    expect(await events().countDocuments()).toBe(0)
  })

  it('about a customer that nobody here has is taken, and logged', async () => {
    api = await deployBilling({ ...environment, LOG_LEVEL: 'error' })
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const strangers = { id: 'sub_1', object: 'subscription', customer: 'cus_stranger' }

    expect((await api.deliver(stripe.event('customer.subscription.updated', strangers))).status).toBe(200)
    expect(logged.mock.calls.join()).toContain('cus_stranger')
    logged.mockClear()
    expect((await api.deliver(stripe.event('customer.subscription.deleted', strangers))).status).toBe(200)
    expect(logged).not.toHaveBeenCalled()
    api = await deployBilling(environment)
  })
})

describe('a deployment', () => {
  it('without keys has no billing, and all the rest', async () => {
    const bare = await deployBilling({ STRIPE_SECRET_KEY: '', STRIPE_WEBHOOK_SECRET: '' })

    for (const answer of [
      await bare.checkout(user, 'basic'),
      await bare.portal(user),
      await bare.deliver(completed),
    ])
      expect(answer).toMatchObject({ status: 501, body: { code: 'not_configured' } })
    expect((await bare.profile(user)).subscription).toMatchObject({ plan: 'free' })
    const { maintain } = await import('../../../lib/domain/maintenance/maintenance.js')
    expect(await maintain(new Date(), () => {})).toMatchObject({ ok: true })
  })

  it('without a secret for webhooks takes none', async () => {
    const half = await deployBilling({ ...environment, STRIPE_WEBHOOK_SECRET: '' })

    expect(await half.deliver(completed)).toMatchObject({ status: 501, body: { code: 'not_configured' } })
    expect(await half.checkout(user, 'basic')).toMatchObject({ status: 200 })
  })

  it('with a key that Stripe does not take says so, without the key', async () => {
    const wrong = await deployBilling({ ...environment, STRIPE_SECRET_KEY: 'sk_test_of_another' })

    const answer = await wrong.deliver(completed)
    expect(answer).toMatchObject({ status: 501, body: { code: 'not_configured' } })
    expect(answer.text).not.toContain('sk_test')
  })
})
