import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { emptyDatabase, firstWritesAtOnce, testDatabase } from '../../support/database.js'
import { crashAfterWrites } from '../../support/failpoint.js'
import type { StripeServer } from '../../support/stripe-server.js'
import { createTestUser, type TestUser } from '../../support/users.js'
import { type BillingApi, deployBilling, PRICES, sessionOf, startStripe } from './billing-api.js'

const AT_ONCE = await firstWritesAtOnce()

let stripe: StripeServer
let environment: Record<string, string>
let api: BillingApi
let user: TestUser

const profiles = () => testDatabase().db.collection('userprofiles')
const storedOf = async ({ user: { _id } }: TestUser) =>
  (await profiles().findOne({ userId: _id }))?.subscription
const openSessions = () => [...stripe.sessions.values()].filter(({ status }) => status === 'open')

beforeAll(async () => {
  const started = await startStripe()
  stripe = started.stripe
  environment = started.environment
  api = await deployBilling(environment)
})
afterAll(() => stripe.close())
beforeEach(async () => {
  await emptyDatabase()
  user = await createTestUser({ plainPassword: null, name: 'Asha Rao' })
  for (const kept of [stripe.customers, stripe.sessions, stripe.subscriptions, stripe.invoices]) kept.clear()
  stripe.requests.length = 0
})
afterEach(() => {
  stripe.fail = undefined
  stripe.beforeAnswer = undefined
  stripe.prices = undefined
})

describe('a checkout', () => {
  it('sends to a page for the plan, of a customer that is the user’s', async () => {
    const answer = await api.checkout(user, 'premium')

    expect(answer).toMatchObject({ status: 200, body: { success: true, data: { url: answer.body.url } } })
    const userId = String(user.user._id)
    const [created] = stripe.asked('POST customers')
    expect(created?.params).toEqual({ email: user.user.email, name: 'Asha Rao', 'metadata[userId]': userId })
    const [opened] = stripe.asked('POST checkout/sessions')
    const stored = await storedOf(user)
    expect(opened?.params).toMatchObject({
      mode: 'subscription',
      customer: stored.stripeCustomerId,
      client_reference_id: userId,
      'line_items[0][price]': PRICES.premium,
      'line_items[0][quantity]': '1',
      'metadata[userId]': userId,
      'subscription_data[metadata][userId]': userId,
      success_url: 'https://app.example.com/?checkout=success',
      cancel_url: 'https://app.example.com/?checkout=cancelled',
    })
    expect(stored).toMatchObject({ plan: 'free', checkoutSessionId: sessionOf(answer) })
    expect(answer.text).not.toContain(stored.stripeCustomerId)
  })

  it.each(['free', 'gold', '', undefined, null, { $ne: '' }, ['basic']])('is not for %j', async plan => {
    expect(await api.checkout(user, plan)).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(stripe.requests).toEqual([])
  })

  it('is for who is signed in', async () => {
    const nobody = { ...user, headers: { authorization: 'Bearer nobody' } }

    expect((await api.checkout(nobody, 'basic')).status).toBe(401)
    expect((await api.portal(nobody)).status).toBe(401)
  })

  it('is not configured for a plan without a price, nor with one that Stripe does not sell', async () => {
    stripe.prices = []
    expect(await api.checkout(user, 'basic')).toMatchObject({ status: 501, body: { code: 'not_configured' } })

    const poorer = await deployBilling({ ...environment, STRIPE_PRICE_BASIC: '' })
    expect(await poorer.checkout(user, 'basic')).toMatchObject({
      status: 501,
      body: { code: 'not_configured' },
    })
    api = await deployBilling(environment)
  })

  it('that cannot reach Stripe can be tried again', async () => {
    stripe.fail = () => 'reset'
    expect(await api.checkout(user, 'basic')).toMatchObject({ status: 503, body: { code: 'unavailable' } })

    stripe.fail = undefined
    expect((await api.checkout(user, 'basic')).status).toBe(200)
    expect(stripe.customers.size).toBe(1)
  })

  it('of a user whose old profile has an empty subscription, and of one with a plan from an operator', async () => {
    for (const subscription of [null, { plan: 'enterprise' }, { plan: 'basic', stripeCustomerId: null }]) {
      const { user: old, ...more } = await createTestUser({ plainPassword: null })
      await profiles().insertOne({ userId: old._id, subscription, preferences: { voiceModel: 'nova' } })

      expect((await api.checkout({ user: old, ...more }, 'basic')).status).toBe(200)

      const stored = await profiles().findOne({ userId: old._id })
      expect(stored?.preferences).toEqual({ voiceModel: 'nova' })
      expect(stored?.subscription).toMatchObject({
        plan: subscription?.plan ?? 'free',
        stripeCustomerId: expect.stringMatching(/^cus_/),
      })
    }
  })

  it('leaves an old profile its plan without a subscription, whether or not Stripe knows the customer', async () => {
    const none = { stripeCustomerId: null, stripeSubscriptionId: null, currentPeriodEnd: null }
    const subscription = { plan: 'premium', status: 'active', ...none }
    await profiles().insertOne({ userId: user.user._id, subscription })

    for (let round = 0; round < 2; round++) {
      expect((await api.checkout(user, 'basic')).status).toBe(200)
      expect(await storedOf(user)).toMatchObject({ plan: 'premium', status: 'active' })
      stripe.customers.clear()
    }
  })

  it('ends the plan of an old profile whose subscription has no end and is not Stripe’s', async () => {
    const subscription = {
      plan: 'premium',
      status: 'active',
      stripeSubscriptionId: 'sub_x',
      currentPeriodEnd: null,
    }
    await profiles().insertOne({ userId: user.user._id, subscription })

    expect((await api.checkout(user, 'basic')).status).toBe(200)

    const stored = await storedOf(user)
    expect(stored).toMatchObject({ status: 'cancelled', currentPeriodEnd: expect.any(Date) })
  })
})

describe('nobody buys twice', () => {
  it('by a double click: both get the same page', async () => {
    stripe.beforeAnswer = () => new Promise(resolve => setTimeout(resolve, 5))

    const answers = await Promise.all(Array.from({ length: 8 }, () => api.checkout(user, 'basic')))

    expect(new Set(answers.map(sessionOf)).size).toBe(1)
    expect(stripe.customers.size).toBe(1)
    expect(openSessions()).toHaveLength(1)
    expect(sessionOf(await api.checkout(user, 'basic'))).toBe(openSessions()[0]?.id)
  })

  it('by two tabs: choosing another plan closes the page of the first', async () => {
    const first = sessionOf(await api.checkout(user, 'basic'))
    const second = sessionOf(await api.checkout(user, 'premium'))
    expect(openSessions().map(({ id }) => id)).toEqual([second])

    const third = sessionOf(await api.checkout(user, 'basic'))
    expect(third).not.toBe(first)
    expect(openSessions().map(({ id }) => id)).toEqual([third])
  })

  it('by two plans at once: of all the pages that were answered one can be paid', AT_ONCE, async () => {
    for (let round = 0; round < 5; round++) {
      user = await createTestUser({ plainPassword: null })
      stripe.sessions.clear()
      stripe.beforeAnswer = () => new Promise(resolve => setTimeout(resolve, Math.random() * 10))
      const plans = ['basic', 'premium', 'basic', 'enterprise']

      const answers = await Promise.all(plans.map(plan => api.checkout(user, plan)))

      for (const { status } of answers) expect([200, 409]).toContain(status)
      expect(openSessions().length).toBeLessThanOrEqual(1)
      const { checkoutSessionId } = await storedOf(user)
      for (const { id } of openSessions()) expect(id).toBe(checkoutSessionId)
    }
  })

  it('after a crash at any point, which loses neither the customer nor the page', async () => {
    const { startCheckout } = await import('../../../lib/domain/billing/billing.js')
    const request = { now: new Date(), logFailure: () => {} }
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      user = await createTestUser({ plainPassword: null })
      stripe.customers.clear()
      stripe.sessions.clear()
      ended = await crashAfterWrites(writes, () => startCheckout(user.user, { plan: 'basic' }, request))

      const session = sessionOf(await api.checkout(user, 'basic'))

      expect(stripe.customers.size, `after ${writes} writes`).toBe(1)
      expect(openSessions().map(({ id }) => id)).toEqual([session])
    }
  })

  it.each(['active', 'trialing', 'past_due', 'unpaid', 'paused', 'incomplete'])(
    'who has a subscription that is %s: it is changed in the portal',
    async status => {
      await api.checkout(user, 'basic')
      const { stripeCustomerId } = await storedOf(user)
      // No webhook says so: it is looked.
      const subscription = stripe.subscribe(stripeCustomerId, PRICES.basic, { status })

      const answer = await api.checkout(user, 'premium')

      expect(answer.body.url).toBe(`${stripe.url}/portal/${stripeCustomerId}`)
      expect(openSessions()).toEqual([])
      const portals = stripe.asked('POST billing_portal/sessions')
      expect(portals).toHaveLength(1)
      const change = portals[0]?.params['flow_data[subscription_update_confirm][subscription]']
      const canChange = status === 'active' || status === 'trialing'
      expect(change).toBe(canChange ? subscription.id : undefined)
      expect(portals[0]?.params.return_url).toBe('https://app.example.com')
    },
  )

  it('who paid on the first page while asking for a second one', async () => {
    const first = sessionOf(await api.checkout(user, 'basic'))
    stripe.fail = ({ path }) => {
      // Between the look at the page and its being closed.
      if (path === `checkout/sessions/${first}/expire`) stripe.pay(first)
      return undefined
    }

    const answer = await api.checkout(user, 'premium')

    expect(answer.body.url).toContain('/portal/')
    expect(stripe.subscriptions.size).toBe(1)
    expect((await api.profile(user)).subscription).toMatchObject({ plan: 'basic', status: 'active' })
  })

  it('but again when the first one is over', async () => {
    const first = sessionOf(await api.checkout(user, 'basic'))
    stripe.pay(first)
    for (const subscription of stripe.subscriptions.values()) stripe.end(subscription, stripe.now + 60)

    const second = sessionOf(await api.checkout(user, 'basic'))

    expect(second).not.toBe(first)
    expect(stripe.customers.size).toBe(1)
  })
})

describe('a customer that was deleted at Stripe', () => {
  it.each(['deleted', 'of another mode'])('(%s) gets a successor', async how => {
    await api.checkout(user, 'basic')
    const { stripeCustomerId: gone } = await storedOf(user)
    if (how === 'deleted')
      stripe.customers.set(gone, { id: gone, object: 'customer', deleted: true, metadata: {} })
    else stripe.customers.delete(gone)

    expect((await api.portal(user)).status).toBe(404)
    const session = sessionOf(await api.checkout(user, 'basic'))

    const { stripeCustomerId } = await storedOf(user)
    expect(stripeCustomerId).not.toBe(gone)
    expect(stripe.sessions.get(session)).toMatchObject({ customer: stripeCustomerId, status: 'open' })
    expect((await api.portal(user)).body.url).toBe(`${stripe.url}/portal/${stripeCustomerId}`)
  })
})

describe('the portal', () => {
  it('is for who has bought something, or tried to', async () => {
    expect(await api.portal(user)).toMatchObject({ status: 404, body: { code: 'not_found' } })

    await api.checkout(user, 'basic')
    const other = await createTestUser({ plainPassword: null })

    const { stripeCustomerId } = await storedOf(user)
    expect((await api.portal(user)).body.data.url).toBe(`${stripe.url}/portal/${stripeCustomerId}`)
    expect((await api.portal(other)).status).toBe(404)
  })

  it('that takes no changes of plans is opened without one, and one that is not set up is not configured', async () => {
    await api.checkout(user, 'basic')
    const { stripeCustomerId } = await storedOf(user)
    stripe.subscribe(stripeCustomerId, PRICES.basic)

    stripe.fail = ({ params }) => ('flow_data[type]' in params ? 400 : undefined)
    expect((await api.checkout(user, 'premium')).body.url).toContain('/portal/')
    stripe.fail = ({ path }) => (path === 'billing_portal/sessions' ? 400 : undefined)
    expect(await api.portal(user)).toMatchObject({ status: 501, body: { code: 'not_configured' } })
  })
})
