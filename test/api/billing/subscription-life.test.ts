import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { entitlementAt, type Subscription } from '../../../lib/domain/billing/subscriptions.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import type { FakeSubscription, StripeEventPayload, StripeServer } from '../../support/stripe-server.js'
import { createTestUser, type TestUser } from '../../support/users.js'
import { type BillingApi, deployBilling, PRICES, sessionOf, startStripe } from './billing-api.js'

const DAY_MS = 24 * 60 * 60 * 1000
const PERMUTATIONS = process.env.SOAK ? 100 : 3

let stripe: StripeServer
let api: BillingApi

beforeAll(async () => {
  const started = await startStripe()
  stripe = started.stripe
  api = await deployBilling(started.environment)
})
afterAll(() => stripe.close())
beforeEach(() => emptyDatabase())
afterEach(() => {
  stripe.beforeAnswer = undefined
})

const date = (seconds = 0) => new Date(seconds * 1_000)

async function storedOf({ user }: TestUser): Promise<Subscription> {
  const profile = await testDatabase().db.collection('userprofiles').findOne({ userId: user._id })
  return profile?.subscription
}

/** What is stored, without what says how often and when it was read. */
async function stateOf(user: TestUser): Promise<Partial<Subscription>> {
  const {
    revision: _,
    readAt: __,
    stripeCustomerId: ___,
    checkoutSessionId: ____,
    checkoutAt: _____,
    ...state
  } = await storedOf(user)
  return state
}

async function subscribe(plan: keyof typeof PRICES): Promise<{
  user: TestUser
  subscription: FakeSubscription
  events: StripeEventPayload[]
}> {
  const user = await createTestUser({ plainPassword: null })
  const session = sessionOf(await api.checkout(user, plan))
  const events = stripe.pay(session)
  const id = String(stripe.sessions.get(session)?.subscription)
  const subscription = stripe.subscriptions.get(id)
  if (!subscription) throw new Error('nothing was bought')
  return { user, subscription, events }
}

/** What happens to a subscription, one after the other. */
const LIFE: readonly [string, (subscription: FakeSubscription) => StripeEventPayload[]][] = [
  ['renewed', subscription => stripe.renew(subscription, true)],
  ['payment failed', subscription => stripe.renew(subscription, false)],
  ['recovered', subscription => stripe.recover(subscription)],
  ['plan changed', subscription => stripe.changePrice(subscription, PRICES.premium)],
  ['cancelled', subscription => stripe.cancelAtPeriodEnd(subscription)],
  ['deleted', subscription => stripe.end(subscription, subscription.cancel_at ?? 0)],
]

describe('the life of a subscription', () => {
  it('is followed step by step', async () => {
    const { user, subscription, events } = await subscribe('basic')
    const deliverAll = async (news: StripeEventPayload[]) => {
      for (const event of news) expect((await api.deliver(event)).status).toBe(200)
      return stateOf(user)
    }
    const item = subscription.items.data[0]
    const period = () => ({
      stripeSubscriptionId: subscription.id,
      currentPeriodStart: date(item?.current_period_start),
      currentPeriodEnd: date(item?.current_period_end),
    })
    const active = { plan: 'basic', status: 'active', cancelAtPeriodEnd: false }

    expect(await deliverAll(events)).toEqual({ ...active, ...period() })
    expect((await api.profile(user)).subscription).toEqual({
      ...active,
      currentPeriodEnd: period().currentPeriodEnd.toISOString(),
    })

    expect(await deliverAll(stripe.renew(subscription, true))).toEqual({ ...active, ...period() })

    const failed = await deliverAll(stripe.renew(subscription, false))
    const failedAt = date(stripe.now)
    expect(failed).toEqual({ ...active, ...period(), status: 'past_due', pastDueSince: failedAt })
    const plan = (now: Date) => entitlementAt(failed as Subscription, now).plan
    expect([
      plan(new Date(failedAt.getTime() + 7 * DAY_MS - 1)),
      plan(new Date(failedAt.getTime() + 7 * DAY_MS)),
    ]).toEqual(['basic', 'free'])
    stripe.now += 3 * 24 * 60 * 60
    const again = stripe.event('customer.subscription.updated', subscription)
    expect(await deliverAll([again])).toEqual(failed)

    expect(await deliverAll(stripe.recover(subscription))).toEqual({ ...active, ...period() })

    const changed = { ...active, plan: 'premium', ...period() }
    expect(await deliverAll(stripe.changePrice(subscription, PRICES.premium))).toEqual(changed)

    const cancelled = await deliverAll(stripe.cancelAtPeriodEnd(subscription))
    expect(cancelled).toEqual({ ...changed, cancelAtPeriodEnd: true })
    const end = period().currentPeriodEnd
    const until = (now: Date) => entitlementAt(cancelled as Subscription, now).plan
    expect([until(new Date(end.getTime() - 1)), until(end)]).toEqual(['premium', 'free'])

    const over = await deliverAll(stripe.end(subscription, subscription.cancel_at ?? 0))
    expect(over).toEqual({ ...changed, status: 'cancelled' })
    expect(entitlementAt(over as Subscription, end).plan).toBe('free')
  })

  it.each(LIFE.map(([name], i) => [name, i + 1] as const))(
    'up to "%s" ends in the same state in any order, with duplicates, several at once',
    async (_, steps) => {
      for (let seed = 1; seed <= PERMUTATIONS; seed++) {
        const random = randomOf(steps * 1_000 + seed)
        const { user, subscription, events } = await subscribe('basic')
        const waiting = [...events]
        const life = LIFE.slice(0, steps).map(([, happen]) => happen)
        stripe.beforeAnswer = () => pause(random() * 8)
        let underWay: Promise<unknown>[] = []
        while (life.length > 0 || waiting.length > 0) {
          const happen = life[0]
          if (happen && (waiting.length === 0 || random() < 0.4)) {
            waiting.push(...happen(subscription))
            life.shift()
            continue
          }
          const [event] = waiting.splice(Math.floor(random() * waiting.length), 1)
          if (!event) continue
          if (random() < 0.3) waiting.push(event)
          underWay.push(redeliver(event))
          if (random() < 0.4) {
            await Promise.all(underWay)
            underWay = []
          }
        }
        await Promise.all(underWay)

        const after = await stateOf(user)
        const [item] = subscription.items.data
        expect(after, `seed ${seed}`).toMatchObject({
          plan: steps >= 4 ? 'premium' : 'basic',
          status: ['active', 'active', 'past_due', 'active', 'active', 'active', 'cancelled'][steps],
          currentPeriodStart: date(item?.current_period_start),
          currentPeriodEnd: date(item?.current_period_end),
          cancelAtPeriodEnd: steps === 5,
        })
        expect('pastDueSince' in after).toBe(steps === 2)
        const unsettled = { state: { $ne: 'done' } }
        expect(await testDatabase().db.collection('stripeevents').countDocuments(unsettled)).toBe(0)
      }
    },
    120_000,
  )

  it('is not taken back by a reading that was slow', async () => {
    const { user, subscription, events } = await subscribe('basic')
    const [completed, created] = events
    if (!completed || !created) throw new Error('nothing happened')
    let letGo = () => {}
    const held = new Promise<void>(resolve => {
      letGo = resolve
    })
    let holding = false
    stripe.beforeAnswer = async ({ path }) => {
      if (path !== 'subscriptions' || holding) return
      holding = true
      await held
    }
    const slow = api.deliver(completed)
    await expect.poll(() => holding).toBe(true)
    stripe.changePrice(subscription, PRICES.premium)
    expect((await api.deliver(created)).status).toBe(200)
    expect(await stateOf(user)).toMatchObject({ plan: 'premium' })

    letGo()
    expect((await slow).status).toBe(200)

    expect(await stateOf(user)).toMatchObject({ plan: 'premium' })
  })

  it('costs two questions an event at most, however many come at once', async () => {
    const { user, subscription } = await subscribe('basic')
    const events = Array.from({ length: 32 }, () =>
      stripe.event('customer.subscription.updated', subscription),
    )
    stripe.requests.length = 0

    const answers = await Promise.all(events.map(event => api.deliver(event)))

    expect(answers.map(({ status }) => status)).toEqual(events.map(() => 200))
    expect(stripe.asked('GET subscriptions').length).toBeLessThanOrEqual(64)
    expect(await stateOf(user)).toMatchObject({ plan: 'basic', status: 'active' })
  })
})

describe('what Stripe says of a subscription', () => {
  const endOfPeriod = ({ items }: FakeSubscription) => items.data[0]?.current_period_end ?? 0

  it.each([
    ['trialing', 'basic'],
    ['unpaid', 'basic'],
    ['paused', 'free'],
    ['incomplete', 'free'],
    ['incomplete_expired', 'free'],
    ['a status of next year', 'free'],
  ])('%s gives the plan %s while its period lasts', async (status, plan) => {
    const { user, subscription } = await subscribe('basic')
    subscription.status = status

    await api.deliver(stripe.event('customer.subscription.updated', subscription))

    expect(entitlementAt(await storedOf(user), date(stripe.now + 60)).plan).toBe(plan)
  })

  it.each([
    ['as it was asked for, to the end of what was paid', 'cancellation_requested', 'paid', 30],
    ['because nobody paid, at once', 'payment_failed', 'open', 3],
    ['because the money was claimed back, at once', 'payment_disputed', 'paid', 3],
  ])('ended early %s', async (_, reason, invoiceStatus, days) => {
    const { user, subscription } = await subscribe('premium')
    const begin = endOfPeriod(subscription) - 30 * 24 * 60 * 60
    for (const invoice of stripe.invoices.values()) invoice.status = invoiceStatus

    const [ended] = stripe.end(subscription, begin + 3 * 24 * 60 * 60, reason)
    if (ended) await api.deliver(ended)

    const end = begin + days * 24 * 60 * 60
    const stored = await storedOf(user)
    expect(stored).toMatchObject({ status: 'cancelled', currentPeriodEnd: date(end) })
    expect([entitlementAt(stored, date(end - 1)).plan, entitlementAt(stored, date(end)).plan]).toEqual([
      'premium',
      'free',
    ])
  })

  it('gives no plan for an invoice that was given up, month after month, until a later one is paid', async () => {
    const { user, subscription, events } = await subscribe('premium')
    for (const event of events) await api.deliver(event)
    /** A payment that failed; what becomes of its invoice once nobody tries any more. */
    const fail = (status: string): Date => {
      stripe.renew(subscription, false)
      const invoice = [...stripe.invoices.values()].at(-1)
      if (invoice) invoice.status = status
      return date(stripe.now)
    }
    const planNow = async () => {
      await api.deliver(stripe.event('customer.subscription.updated', subscription))
      return entitlementAt(await storedOf(user), date(stripe.now + 60)).plan
    }

    const givenUpAt = fail('uncollectible')
    subscription.status = 'unpaid'
    expect(await planNow()).toBe('premium')
    fail('draft')
    subscription.status = 'unpaid'
    expect(await planNow()).toBe('free')
    expect(await stateOf(user)).toMatchObject({ status: 'past_due', pastDueSince: givenUpAt })

    stripe.renew(subscription, true)
    subscription.status = 'active'
    expect(await planNow()).toBe('premium')
    const failedAt = fail('open')
    expect(await planNow()).toBe('premium')
    expect(await stateOf(user)).toMatchObject({ status: 'past_due', pastDueSince: failedAt })
  })

  it('keeps the plan for seven days after an invoice was due that is paid by hand', async () => {
    const { user, subscription, events } = await subscribe('enterprise')
    for (const event of events) await api.deliver(event)
    stripe.renew(subscription, false)
    const dueAt = stripe.now + 20 * 24 * 60 * 60
    Object.assign([...stripe.invoices.values()].at(-1) ?? {}, { due_date: dueAt })
    stripe.now = dueAt

    await api.deliver(stripe.event('customer.subscription.updated', subscription))

    const stored = await storedOf(user)
    expect(stored).toMatchObject({ status: 'past_due', pastDueSince: date(dueAt) })
    const plans = [7 * 24 * 60 * 60 - 1, 7 * 24 * 60 * 60].map(
      seconds => entitlementAt(stored, date(dueAt + seconds)).plan,
    )
    expect(plans).toEqual(['enterprise', 'free'])
  })

  it('may be that it ends on a day within its period', async () => {
    const { user, subscription } = await subscribe('basic')
    subscription.cancel_at = endOfPeriod(subscription) - 60

    await api.deliver(stripe.event('customer.subscription.updated', subscription))

    expect(await stateOf(user)).toMatchObject({
      cancelAtPeriodEnd: true,
      currentPeriodEnd: date(endOfPeriod(subscription) - 60),
    })
  })

  it('may be a price of last year, and one that nobody configured leaves the plan as it was', async () => {
    const { user, subscription } = await subscribe('premium')
    await api.deliver(stripe.event('customer.subscription.updated', subscription))

    const [unknown] = stripe.changePrice(subscription, 'price_unheard_of')
    if (unknown) expect((await api.deliver(unknown)).status).toBe(200)
    expect(await stateOf(user)).toMatchObject({ plan: 'premium', status: 'active' })

    const [known] = stripe.changePrice(subscription, 'price_basic_of_last_year')
    if (known) await api.deliver(known)
    expect(await stateOf(user)).toMatchObject({ plan: 'basic' })
  })

  it('is of the subscription that runs, whatever became of others', async () => {
    const { user, subscription } = await subscribe('premium')
    stripe.end(subscription, stripe.now + 60, 'payment_failed')
    const second = stripe.subscribe(subscription.customer, PRICES.basic)
    const third = stripe.subscribe(subscription.customer, PRICES.enterprise, { status: 'incomplete_expired' })

    for (const object of [third, subscription, second])
      await api.deliver(stripe.event('customer.subscription.updated', object))

    expect(await stateOf(user)).toMatchObject({ plan: 'basic', stripeSubscriptionId: second.id })
  })

  it('is of the one that was paid the longest where all are over', async () => {
    const { user, subscription } = await subscribe('premium')
    const [item] = subscription.items.data
    if (item) item.current_period_end = item.current_period_start + 365 * 24 * 60 * 60
    stripe.end(subscription, stripe.now + 60)
    const second = stripe.subscribe(subscription.customer, PRICES.basic, { created: stripe.now + 60 })
    const [, failed] = stripe.renew(second, false)
    const [ended] = stripe.end(second, stripe.now + 60, 'payment_failed')

    for (const event of [failed, ended]) if (event) await api.deliver(event)

    expect(await stateOf(user)).toMatchObject({ plan: 'premium', stripeSubscriptionId: subscription.id })
    expect(entitlementAt(await storedOf(user), date(stripe.now + 60)).plan).toBe('premium')
  })

  it('ends with a customer that was deleted there', async () => {
    const { user, subscription, events } = await subscribe('premium')
    for (const event of events) await api.deliver(event)
    await fetch(`${stripe.url}/v1/customers/${subscription.customer}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${stripe.key}` },
    })

    const deleted = { id: subscription.customer, object: 'customer' }
    expect((await api.deliver(stripe.event('customer.deleted', deleted))).status).toBe(200)

    expect(await stateOf(user)).toMatchObject({ status: 'cancelled' })
  })

  it('that it does not understand leaves a plan as it was', async () => {
    const { user, subscription, events } = await subscribe('premium')
    for (const event of events) await api.deliver(event)
    const before = await stateOf(user)

    subscription.status = 'a status of next year'
    await api.deliver(stripe.event('customer.subscription.updated', subscription))

    expect(await stateOf(user)).toEqual(before)
  })

  it.each([
    ['lasts as long as it was paid for', 'active', 30],
    ['ends at once where nobody paid', 'past_due', 1],
    ['ends at once where it was paused', 'paused', 1],
  ])('of a customer whom it does not know any more %s', async (_, status, days) => {
    stripe.now = Math.floor(Date.now() / 1_000)
    const { user, subscription, events } = await subscribe('premium')
    for (const event of events) await api.deliver(event)
    const changed = { 'subscription.status': status }
    await testDatabase().db.collection('userprofiles').updateOne({ userId: user.user._id }, { $set: changed })
    stripe.customers.delete(subscription.customer)
    stripe.subscriptions.delete(subscription.id)

    const { startCheckout } = await import('../../../lib/domain/billing/billing.js')
    const { readCustomer } = await import('../../../lib/domain/billing/subscription-readings.js')
    const logged: unknown[] = []
    const request = { now: new Date(), logFailure: (failure: unknown) => void logged.push(failure) }
    const { url } = await startCheckout(user.user, { plan: 'basic' }, request)
    expect(logged.join()).toContain(`does not have ${subscription.id}`)

    const stored = await storedOf(user)
    const end = endOfPeriod(subscription)
    const begin = end - 30 * 24 * 60 * 60
    expect(stored).toMatchObject({ plan: 'premium', status: 'cancelled', cancelAtPeriodEnd: false })
    expect(entitlementAt(stored, date(begin + days * 24 * 60 * 60)).plan).toBe('free')
    expect(entitlementAt(stored, date(begin + days * 24 * 60 * 60 - 1)).plan).toBe(
      days > 1 ? 'premium' : 'free',
    )

    stripe.pay(url.slice(url.lastIndexOf('/') + 1))
    expect(await readCustomer(String(stored.stripeCustomerId), new Date())).toMatchObject({ remarks: [] })
    expect(await stateOf(user)).toMatchObject({ plan: 'basic', status: 'active' })
  })
})

/** Delivers until it is taken, as Stripe does. */
async function redeliver(event: StripeEventPayload): Promise<void> {
  for (;;) {
    const { status } = await api.deliver(event)
    if (status === 200) return
    expect(status).toBe(409)
    await pause(5)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
