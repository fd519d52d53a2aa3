import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { emptyDatabase, testDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import type { FakeSubscription, StripeServer } from '../../support/stripe-server.js'
import { createTestUser, type TestUser } from '../../support/users.js'
import { type BillingApi, deployBilling, PRICES, sessionOf, startStripe } from './billing-api.js'

const HOUR_MS = 60 * 60 * 1000

let stripe: StripeServer
let api: BillingApi
let erasure: typeof import('../../../lib/domain/accounts/erasure.js')
let readings: typeof import('../../../lib/domain/billing/subscription-readings.js')

const db = () => testDatabase().db

beforeAll(async () => {
  const started = await startStripe()
  stripe = started.stripe
  api = await deployBilling(started.environment)
  erasure = await import('../../../lib/domain/accounts/erasure.js')
  readings = await import('../../../lib/domain/billing/subscription-readings.js')
})
afterAll(() => stripe.close())
beforeEach(async () => {
  await emptyDatabase()
  // Readings are dated by the clock of the requests that cause them.
  stripe.now = Math.floor(Date.now() / 1_000)
  stripe.requests.length = 0
})
afterEach(() => {
  stripe.fail = undefined
  stripe.beforeAnswer = undefined
})

async function subscribe(): Promise<{ user: TestUser; subscription: FakeSubscription }> {
  const user = await createTestUser()
  const session = sessionOf(await api.checkout(user, 'basic'))
  for (const event of stripe.pay(session)) await api.deliver(event)
  const subscription = stripe.subscriptions.get(String(stripe.sessions.get(session)?.subscription))
  if (!subscription) throw new Error('nothing was bought')
  return { user, subscription }
}

describe('a period that ended without news', () => {
  it('is looked after, once Stripe has had its time, and not again at once', async () => {
    const { user, subscription } = await subscribe()
    const other = await subscribe()
    const end = subscription.items.data[0]?.current_period_end ?? 0
    stripe.changePrice(subscription, PRICES.premium)
    stripe.renew(subscription, true)
    stripe.cancelAtPeriodEnd(other.subscription)
    stripe.end(other.subscription, end)
    const hoursOn = (hours: number) => new Date(end * 1_000 + hours * HOUR_MS)
    await db()
      .collection('userprofiles')
      .updateMany({}, { $set: { 'subscription.readAt': hoursOn(0) } })

    expect(await readings.rereadCustomers(hoursOn(2))).toEqual({ read: 0, remarks: [], left: 0 })
    expect(await readings.rereadCustomers(hoursOn(4))).toEqual({ read: 2, remarks: [], left: 0 })
    expect(await readings.rereadCustomers(hoursOn(5))).toEqual({ read: 0, remarks: [], left: 0 })

    const stored = await db().collection('userprofiles').findOne({ userId: user.user._id })
    expect(stored?.subscription).toMatchObject({ plan: 'premium', status: 'active' })
    expect(stored?.subscription.currentPeriodEnd).toEqual(
      new Date((subscription.items.data[0]?.current_period_end ?? 0) * 1_000),
    )
    const left = await db().collection('userprofiles').findOne({ userId: other.user.user._id })
    expect(left?.subscription).toMatchObject({ status: 'cancelled' })
  })

  it('is left for the next run where the time of this one is over', async () => {
    const { subscription } = await subscribe()
    await subscribe()
    const end = (subscription.items.data[0]?.current_period_end ?? 0) * 1_000
    const sweptAt = new Date(end + 4 * HOUR_MS)
    let asked = 0
    const afterOne = () => asked++ > 0

    expect(await readings.rereadCustomers(sweptAt, afterOne)).toMatchObject({ read: 1 })
    expect(await readings.rereadCustomers(sweptAt)).toMatchObject({ read: 1 })
  })

  it('is tried again the next day where Stripe was away, and where it said nothing new', async () => {
    const { subscription } = await subscribe()
    const end = (subscription.items.data[0]?.current_period_end ?? 0) * 1_000
    stripe.fail = () => 'reset'
    await expect(readings.rereadCustomers(new Date(end + 4 * HOUR_MS))).rejects.toMatchObject({
      code: 'unavailable',
    })
    stripe.fail = undefined

    expect(await readings.rereadCustomers(new Date(end + 4 * HOUR_MS))).toMatchObject({ read: 1 })
    expect(await readings.rereadCustomers(new Date(end + 28 * HOUR_MS))).toMatchObject({ read: 1 })
  })

  it('of a customer that Stripe does not know comes round again after all the others', async () => {
    const { user, subscription } = await subscribe()
    const end = (subscription.items.data[0]?.current_period_end ?? 0) * 1_000
    const ofTestMode = {
      'subscription.stripeCustomerId': 'cus_of_test_mode',
      'subscription.stripeSubscriptionId': 'sub_of_test_mode',
    }
    await db().collection('userprofiles').updateOne({ userId: user.user._id }, { $set: ofTestMode })
    const sweptAt = new Date(end + 4 * HOUR_MS)
    const swept = { read: 1, remarks: ['Stripe does not know cus_of_test_mode.'], left: 0 }

    expect(await readings.rereadCustomers(sweptAt)).toEqual(swept)
    expect(await readings.rereadCustomers(sweptAt)).toEqual({ read: 0, remarks: [], left: 0 })

    const stored = await db().collection('userprofiles').findOne({ userId: user.user._id })
    expect(stored?.subscription).toMatchObject({ plan: 'basic', status: 'active', readAt: sweptAt })
    expect(await readings.rereadCustomers(new Date(end + 28 * HOUR_MS))).toEqual(swept)
  })

  it('that cannot be read keeps no other from being read', async () => {
    const { subscription } = await subscribe()
    const other = await subscribe()
    const end = (subscription.items.data[0]?.current_period_end ?? 0) * 1_000
    stripe.changePrice(other.subscription, PRICES.premium)
    stripe.fail = ({ params }) => (params.customer === subscription.customer ? 'reset' : undefined)

    await expect(readings.rereadCustomers(new Date(end + 4 * HOUR_MS))).rejects.toMatchObject({
      code: 'unavailable',
    })

    expect(await api.profile(other.user)).toMatchObject({ subscription: { plan: 'premium' } })
  })
})

describe('a customer of whom no webhook came', () => {
  const nextDay = (days = 1) => new Date(Date.now() + days * 24 * HOUR_MS)

  it('has what was bought the next day: at first, after a cancelled plan and in place of another', async () => {
    const first = await createTestUser()
    stripe.pay(sessionOf(await api.checkout(first, 'basic')))
    const again = await subscribe()
    for (const event of stripe.end(again.subscription, stripe.now)) await api.deliver(event)
    stripe.pay(sessionOf(await api.checkout(again.user, 'premium')))
    const upgraded = await subscribe()
    stripe.changePrice(upgraded.subscription, PRICES.enterprise)

    expect(await readings.rereadCustomers(new Date())).toEqual({ read: 0, remarks: [], left: 0 })
    expect(await readings.rereadCustomers(nextDay())).toEqual({ read: 3, remarks: [], left: 0 })

    const plans = [first, again.user, upgraded.user].map(
      async user => (await api.profile(user)).subscription.plan,
    )
    expect(await Promise.all(plans)).toEqual(['basic', 'premium', 'enterprise'])
  })

  it('is not read where there can be no news: the plan is over, or its page was left long ago', async () => {
    const over = await subscribe()
    for (const event of stripe.end(over.subscription, stripe.now)) await api.deliver(event)
    await api.checkout(await createTestUser(), 'basic')
    await subscribe()
    const profiles = db().collection('userprofiles')
    const pagesOf = (days: number) =>
      profiles.updateMany({}, { $set: { 'subscription.checkoutAt': nextDay(1 - days) } })
    await pagesOf(30)
    expect(await readings.rereadCustomers(nextDay(), () => true)).toEqual({ read: 0, remarks: [], left: 1 })
    await pagesOf(29)
    expect(await readings.rereadCustomers(nextDay(), () => true)).toEqual({ read: 0, remarks: [], left: 3 })
    await pagesOf(30)
    expect(await readings.rereadCustomers(nextDay())).toEqual({ read: 1, remarks: [], left: 0 })
  })

  it('is read along with up to four others', async () => {
    for (let i = 0; i < 12; i++) await subscribe()
    let now = 0
    let most = 0
    stripe.beforeAnswer = async () => {
      most = Math.max(most, ++now)
      await new Promise(resolve => setTimeout(resolve, 20))
      now--
    }

    expect(await readings.rereadCustomers(nextDay())).toEqual({ read: 12, remarks: [], left: 0 })
    expect(most).toBe(5)
  })

  it('keeps a plan that an operator gave after the one at Stripe was over, until one is bought', async () => {
    const { user, subscription } = await subscribe()
    for (const event of stripe.end(subscription, stripe.now)) await api.deliver(event)
    const given = { plan: 'enterprise', stripeCustomerId: subscription.customer }
    const profiles = db().collection('userprofiles')
    await profiles.updateOne({ userId: user.user._id }, { $set: { subscription: given } })

    await readings.readCustomer(subscription.customer, nextDay())

    const stored = await profiles.findOne({ userId: user.user._id })
    expect(stored?.subscription).toEqual({ ...given, revision: 1, readAt: expect.any(Date) })
    const bought = stripe.subscribe(subscription.customer, PRICES.basic)
    await readings.readCustomer(subscription.customer, nextDay(2))
    expect(await api.profile(user)).toMatchObject({ subscription: { plan: 'basic', status: 'active' } })
    stripe.end(bought, stripe.now)
    await readings.readCustomer(subscription.customer, nextDay(3))
    expect(await api.profile(user)).toMatchObject({ subscription: { status: 'cancelled' } })
  })

  it('is past due no longer where the payment was made up for', async () => {
    const { user, subscription } = await subscribe()
    for (const event of stripe.renew(subscription, false)) await api.deliver(event)
    stripe.recover(subscription)

    await readings.rereadCustomers(nextDay())

    expect(await api.profile(user)).toMatchObject({ subscription: { status: 'active' } })
  })

  it('is read after those whose period is over, the longest unread first, as far as the time goes', async () => {
    const users = [await subscribe(), await subscribe(), await subscribe()] as const
    const [calm, unread, overdue] = users.map(({ subscription }) => subscription.customer)
    const profiles = db().collection('userprofiles')
    const set = (customer: string | undefined, fields: object) =>
      profiles.updateOne({ 'subscription.stripeCustomerId': customer }, { $set: fields })
    await profiles.updateOne(
      { 'subscription.stripeCustomerId': unread },
      { $unset: { 'subscription.readAt': '' } },
    )
    await set(overdue, { 'subscription.currentPeriodEnd': new Date() })
    stripe.requests.length = 0
    let asked = 0
    const afterTwo = () => asked++ >= 2

    expect(await readings.rereadCustomers(nextDay(), afterTwo)).toMatchObject({ read: 2, left: 1 })
    expect(await readings.rereadCustomers(nextDay())).toMatchObject({ read: 1, left: 0 })
    expect(stripe.asked('GET subscriptions').map(({ params }) => params.customer)).toEqual([
      overdue,
      unread,
      calm,
    ])
  })

  it('keeps no other waiting where Stripe does not know it, and is nothing to look at without a plan', async () => {
    const user = await createTestUser()
    await api.checkout(user, 'basic')
    const customer = { 'subscription.stripeCustomerId': 'cus_of_test_mode' }
    await db().collection('userprofiles').updateOne({ userId: user.user._id }, { $set: customer })
    const other = await createTestUser()
    stripe.pay(sessionOf(await api.checkout(other, 'basic')))

    expect(await readings.rereadCustomers(nextDay())).toEqual({ read: 2, remarks: [], left: 0 })

    expect(await api.profile(other)).toMatchObject({ subscription: { plan: 'basic' } })
    expect(await readings.rereadCustomers(nextDay())).toMatchObject({ read: 0, left: 0 })
  })
})

describe('an erased account', () => {
  const work: Promise<unknown>[] = []
  const request = () => ({
    now: new Date(),
    network: '203.0.113.7',
    background: (task: Promise<unknown>) => void work.push(task.catch(() => {})),
  })
  const later = () => new Date(Date.now() + HOUR_MS)

  it('has no subscription any more, and is nobody’s customer', async () => {
    const { user, subscription } = await subscribe()

    const receipt = await erasure.deleteAccount(user.user, user.password, request())
    await Promise.all(work)

    expect(receipt.counts).toMatchObject({ users: 1, userprofiles: 1 })
    expect(subscription.status).toBe('canceled')
    expect(stripe.customers.get(subscription.customer)).toMatchObject({ deleted: true })
    expect(await erasure.finishErasures(later())).toEqual({ interrupted: 0, settled: 1 })
    const [kept] = await db().collection('erasures').find().toArray()
    expect(kept).toMatchObject({ state: 'settled' })
    expect(JSON.stringify(kept)).not.toContain('cus_')
    const [deleted] = stripe.end(subscription, stripe.now)
    expect(deleted && (await api.deliver(deleted)).status).toBe(200)
    expect(await db().collection('userprofiles').countDocuments()).toBe(0)
  })

  it('is not settled before Stripe has heard of it, and keeps no other from it', async () => {
    const { user, subscription } = await subscribe()
    const other = await createTestUser()
    stripe.fail = () => 'reset'
    await erasure.deleteAccount(user.user, user.password, request())
    await erasure.deleteAccount(other.user, other.password, request())
    await Promise.all(work)
    expect(subscription.status).toBe('active')

    await expect(erasure.finishErasures(later())).rejects.toMatchObject({ code: 'unavailable' })
    expect(await db().collection('erasures').countDocuments({ state: 'settled' })).toBe(1)
    stripe.fail = undefined
    expect(await erasure.finishErasures(later())).toEqual({ interrupted: 0, settled: 1 })

    expect(subscription.status).toBe('canceled')
    expect(await erasure.finishErasures(later())).toEqual({ interrupted: 0, settled: 0 })
  })

  it('is that after a crash at any point', async () => {
    for (let writes = 0, ended = 'crashed'; ended === 'crashed'; writes++) {
      await emptyDatabase()
      const { user, subscription } = await subscribe()
      ended = await crashAfterWrites(writes, async () => {
        const tasks: Promise<unknown>[] = []
        const background = (task: Promise<unknown>) => void tasks.push(task)
        await erasure.deleteAccount(user.user, user.password, { ...request(), background })
        await Promise.all(tasks)
      })
      const begun = (await db().collection('erasures').countDocuments()) === 1
      await erasure.finishErasures(later())
      await erasure.finishErasures(new Date(later().getTime() + HOUR_MS))

      expect(subscription.status, `after ${writes} writes`).toBe(begun ? 'canceled' : 'active')
      expect(
        await db()
          .collection('erasures')
          .countDocuments({ state: { $ne: 'settled' } }),
      ).toBe(0)
    }
  })

  it('that a checkout was under way for is that too', async () => {
    const user = await createTestUser()
    const { startCheckout } = await import('../../../lib/domain/billing/billing.js')
    await erasure.deleteAccount(user.user, user.password, request())
    const { url } = await startCheckout(
      user.user,
      { plan: 'basic' },
      { now: new Date(), logFailure: () => {} },
    )
    const [, session = ''] = /\/pay\/(\w+)$/.exec(url) ?? []
    stripe.pay(session)

    expect(await erasure.finishErasures(later())).toEqual({ interrupted: 0, settled: 1 })

    const subscription = stripe.subscriptions.get(String(stripe.sessions.get(session)?.subscription))
    expect(subscription?.status).toBe('canceled')
    expect(await db().collection('userprofiles').countDocuments()).toBe(0)
  })

  it('that became a customer meanwhile, at any point, is nobody’s customer', async () => {
    const { ensureCustomer } = await import('../../../lib/domain/billing/billing-customers.js')
    const { changeProfile } = await import('../../../lib/domain/accounts/user-profiles.js')
    for (let writes = 0, paused = true; paused; writes++) {
      await emptyDatabase()
      const user = await createTestUser()
      await changeProfile(user.user._id, { preferences: { voiceModel: 'nova' } }, new Date())

      const underWay = await pauseAfterWrites(writes, () =>
        erasure.deleteAccount(user.user, user.password, request()),
      )
      const customer = await ensureCustomer(user.user, undefined, new Date())
      await underWay.finish()
      await Promise.all(work)
      await erasure.finishErasures(later())

      paused = underWay.paused
      expect(stripe.customers.get(customer), `after ${writes} writes`).toMatchObject({ deleted: true })
      expect(await db().collection('userprofiles').countDocuments()).toBe(0)
    }
  })
})
