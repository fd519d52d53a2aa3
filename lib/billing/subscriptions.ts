import type Stripe from 'stripe'
import { ask, unlessMissing } from './client.js'

/** A subscription as Stripe has it at the moment it is read. */
export interface SubscriptionReading {
  id: string
  /** https://docs.stripe.com/api/subscriptions/object#subscription_object-status */
  status: Stripe.Subscription.Status
  createdAt: Date
  /** Of what is subscribed to: one, unless somebody added more at Stripe. */
  items: { id: string; priceId: string; currentPeriodStart: Date; currentPeriodEnd: Date }[]
  /** When it will end, where that is known. */
  cancelAt: Date | undefined
  endedAt: Date | undefined
  /** Whether its last invoice is. */
  isPaid: boolean
  isDisputed: boolean
  /** Since when its oldest invoice is due that nobody paid; only where a payment failed. */
  unpaidSince: Date | undefined
}

/**
 * Every subscription that a customer has or had.
 *
 * @param knownId read by itself where the customer was deleted, which ended it but leaves it readable.
 * @returns undefined for a customer that Stripe does not know, without such a subscription.
 * @throws {AppError} `unavailable` while Stripe cannot be reached, `not_configured` without a key that it takes.
 */
export async function readSubscriptions(
  customerId: string,
  knownId: string | undefined,
): Promise<SubscriptionReading[] | undefined> {
  const found = await findSubscriptions(customerId, knownId)
  return found && Promise.all(found.map(read))
}

const EXPANDED = 'latest_invoice'

async function findSubscriptions(
  customer: string,
  knownId: string | undefined,
): Promise<Stripe.Subscription[] | undefined> {
  const expand = [`data.${EXPANDED}`]
  const params: Stripe.SubscriptionListParams = { customer, status: 'all', limit: 100, expand }
  const list = await unlessMissing(() => ask(client => client.subscriptions.list(params)))
  if (list) return list.data
  if (knownId === undefined) return undefined
  const retrieved = { expand: [EXPANDED] }
  const known = await unlessMissing(() => ask(client => client.subscriptions.retrieve(knownId, retrieved)))
  return known && [known]
}

async function read(subscription: Stripe.Subscription): Promise<SubscriptionReading> {
  const { id, status, ended_at, latest_invoice, cancellation_details } = subscription
  const cancelAt = cancelAtOf(subscription)
  return {
    id,
    status,
    createdAt: toDate(subscription.created),
    // Since 2025-03-31 each item has its period, and the subscription none.
    items: subscription.items.data.map(item => ({
      id: item.id,
      priceId: item.price.id,
      currentPeriodStart: toDate(item.current_period_start),
      currentPeriodEnd: toDate(item.current_period_end),
    })),
    cancelAt: cancelAt === undefined ? undefined : toDate(cancelAt),
    endedAt: ended_at === null ? undefined : toDate(ended_at),
    isPaid: typeof latest_invoice === 'object' && latest_invoice?.status === 'paid',
    isDisputed: cancellation_details?.reason === 'payment_disputed',
    unpaidSince: status === 'past_due' || status === 'unpaid' ? await findUnpaidSince(id) : undefined,
  }
}

function cancelAtOf({ cancel_at, cancel_at_period_end, items }: Stripe.Subscription): number | undefined {
  return cancel_at ?? (cancel_at_period_end ? items.data[0]?.current_period_end : undefined)
}

/** Of the invoices that are open, or were given up as uncollectible and none after them paid. */
async function findUnpaidSince(subscription: string): Promise<Date | undefined> {
  // Newest first.
  const { data } = await ask(client => client.invoices.list({ subscription, limit: 100 }))
  const lastPaid = data.findIndex(({ status }) => status === 'paid')
  const sinceThen = lastPaid === -1 ? data : data.slice(0, lastPaid)
  const givenUp = sinceThen.filter(({ status }) => status === 'uncollectible')
  const unpaid = [...data.filter(({ status }) => status === 'open'), ...givenUp]
  // One that is charged automatically is due at once and has no date for it.
  const since = unpaid.map(
    ({ due_date, status_transitions, created }) => due_date ?? status_transitions.finalized_at ?? created,
  )
  return since.length > 0 ? toDate(Math.min(...since)) : undefined
}

/** Stripe's times are seconds. */
function toDate(seconds: number): Date {
  return new Date(seconds * 1_000)
}
