import type { ObjectId } from 'mongodb'
import { z } from 'zod'
import {
  type CheckoutSession,
  expireCheckout,
  findCheckout,
  type NewCheckout,
  openCheckout,
} from '../../billing/checkout.js'
import { requireBilling, StripeRefusal } from '../../billing/client.js'
import { openPortal, type PlanChange } from '../../billing/portal.js'
import type { SubscriptionReading } from '../../billing/subscriptions.js'
import { env } from '../../env.js'
import { AppError } from '../../errors.js'
import { userProfiles } from '../accounts/user-profiles.js'
import type { User } from '../accounts/users.js'
import { PlanName } from '../usage/plans.js'
import { ensureCustomer } from './billing-customers.js'
import { readCustomer } from './subscription-readings.js'

export const CheckoutInput = z.object({ plan: PlanName.exclude(['free']) })
export type CheckoutInput = z.infer<typeof CheckoutInput>

/** Where the browser is to go: a page of Stripe's. */
export const BillingPage = z.object({ url: z.string() })
export type BillingPage = z.infer<typeof BillingPage>

/** What a checkout has to know of its request. */
interface CheckoutRequest {
  now: Date
  logFailure(failure: unknown): void
}

/** How often a checkout begins anew when others of the same user come before it. */
const MAX_ATTEMPTS = 5

/**
 * Opens the page on which a plan is bought; for who has a subscription already, the one on which it is changed.
 *
 * Nobody may buy two. Of a user's pages only the one that the profile names can be paid: another one is closed
 * before it is replaced, and only then, when what it may have sold shows, it is looked whether there is a
 * subscription. Of two requests at once for the same plan both get one page; for two plans, the later one's.
 *
 * @throws {AppError} `not_configured` without a key or for a plan without a price, `conflict` when the user's other
 *   requests come before this one again and again, `unavailable` while Stripe or the database is away.
 */
export async function startCheckout(
  user: User,
  { plan }: CheckoutInput,
  request: CheckoutRequest,
): Promise<BillingPage> {
  requireBilling()
  const [priceId] = env().stripePrices[plan]
  if (!priceId) throw new AppError('not_configured', `The plan ${plan} is not sold on this deployment.`)
  let replaced: string | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const customerId = await ensureCustomer(user, replaced, request.now)
    const outcome = await tryCheckout(user._id, customerId, priceId, request)
    if (outcome.kind === 'page') return { url: outcome.url }
    if (outcome.kind === 'customer gone') replaced = customerId
  }
  throw new AppError('conflict', 'Another checkout of this account is under way: try again.')
}

/**
 * Opens the pages on which a user pays, changes or cancels a subscription.
 *
 * @throws {AppError} `not_found` for who never bought anything, `not_configured` without a key or a portal,
 *   `unavailable` while Stripe or the database is away.
 */
export async function openBillingPortal(user: User): Promise<BillingPage> {
  requireBilling()
  const profile = await (await userProfiles.open()).findOne({ userId: user._id })
  const customerId = profile?.subscription?.stripeCustomerId
  if (!customerId) throw new AppError('not_found', 'There is nothing to manage yet: choose a plan first.')
  return { url: await portalUrl(customerId) }
}

/** How an attempt ended: on a page to go to, with a customer that Stripe does not know, or behind another request. */
type Outcome = { kind: 'page'; url: string } | { kind: 'customer gone' } | { kind: 'overtaken' }

async function tryCheckout(
  userId: ObjectId,
  customerId: string,
  priceId: string,
  { now, logFailure }: CheckoutRequest,
): Promise<Outcome> {
  const profile = await (await userProfiles.open()).findOne({ userId })
  const previousId = profile?.subscription?.checkoutSessionId
  const previous = previousId === undefined ? undefined : await findCheckout(previousId)
  const isSame = previous?.priceId === priceId && previous.customerId === customerId
  const reusable = previous?.isOpen && isSame ? previous : undefined
  if (previous?.isOpen && !reusable) await expireCheckout(previous.id)

  const { unknownTo, current, remarks } = await readCustomer(customerId, now)
  for (const remark of remarks) logFailure(new Error(`Checkout: ${remark}`))
  if (unknownTo === 'us') return { kind: 'overtaken' }
  if (unknownTo === 'stripe') return { kind: 'customer gone' }
  if (current) {
    if (reusable) await expireCheckout(reusable.id)
    return { kind: 'page', url: await portalUrl(customerId, changeTo(current, priceId)) }
  }
  if (reusable?.url) return { kind: 'page', url: reusable.url }

  const request = { userId: userId.toHexString(), customerId, priceId, ...returnUrls(), previousId }
  const session = await openSession(request)
  if (!session) return { kind: 'customer gone' }
  if (session.url && (await nameSession(userId, previousId, session.id, now)))
    return { kind: 'page', url: session.url }
  // Nobody has its address yet, and nobody shall: the profile names another one.
  await expireCheckout(session.id)
  return { kind: 'overtaken' }
}

/** Undefined for a customer that was deleted at Stripe. */
async function openSession(request: NewCheckout): Promise<CheckoutSession | undefined> {
  try {
    return await openCheckout(request)
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error
    if (error.param === 'customer') return undefined
    if (error.param?.startsWith('line_items'))
      throw new AppError('not_configured', 'Stripe does not sell the price of this plan.', { cause: error })
    throw error
  }
}

/** Makes a session the one that can be paid, unless the profile has moved on to another one meanwhile. */
async function nameSession(
  userId: ObjectId,
  previousId: string | undefined,
  id: string,
  now: Date,
): Promise<boolean> {
  const field = 'subscription.checkoutSessionId'
  const { matchedCount } = await (await userProfiles.open()).updateOne(
    { userId, $or: [{ [field]: previousId ?? { $exists: false } }, { [field]: id }] },
    { $set: { [field]: id, 'subscription.checkoutAt': now } },
  )
  return matchedCount === 1
}

/** One whose first payment is not done yet, or that has the price already, has nothing to be changed to. */
function changeTo({ id, status, items }: SubscriptionReading, priceId: string): PlanChange | undefined {
  const [item] = items
  const canChange = status === 'active' || status === 'trialing'
  return canChange && item && item.priceId !== priceId
    ? { subscriptionId: id, itemId: item.id, priceId }
    : undefined
}

async function portalUrl(customerId: string, change?: PlanChange): Promise<string> {
  try {
    return await openPortal(customerId, env().appUrl, change)
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error
    if (error.param === 'customer')
      throw new AppError('not_found', 'There is nothing to manage any more.', { cause: error })
    throw new AppError('not_configured', 'The customer portal is not set up at Stripe.', { cause: error })
  }
}

function returnUrls(): Pick<NewCheckout, 'successUrl' | 'cancelUrl'> {
  const { appUrl } = env()
  return { successUrl: `${appUrl}/?checkout=success`, cancelUrl: `${appUrl}/?checkout=cancelled` }
}
