import type Stripe from 'stripe'
import { ask, StripeRefusal } from './client.js'

/** Another price for an item of a subscription. */
export interface PlanChange {
  subscriptionId: string
  itemId: string
  priceId: string
}

/**
 * Opens the pages on which a customer changes, pays and cancels a subscription: those for one change where the
 * portal is set up to take it, else all of them.
 *
 * @throws {AppError} `unavailable` while Stripe cannot be reached, `not_configured` without a key that it takes.
 * @throws {StripeRefusal} for a customer that Stripe does not know, or a portal that is not set up at all.
 */
export async function openPortal(customer: string, returnUrl: string, change?: PlanChange): Promise<string> {
  const params = { customer, return_url: returnUrl }
  if (change) {
    try {
      return await open({ ...params, flow_data: flowOf(change) })
    } catch (error) {
      if (!(error instanceof StripeRefusal)) throw error
    }
  }
  return open(params)
}

async function open(params: Stripe.BillingPortal.SessionCreateParams): Promise<string> {
  return (await ask(client => client.billingPortal.sessions.create(params))).url
}

function flowOf({
  subscriptionId,
  itemId,
  priceId,
}: PlanChange): Stripe.BillingPortal.SessionCreateParams.FlowData {
  return {
    type: 'subscription_update_confirm',
    subscription_update_confirm: {
      subscription: subscriptionId,
      items: [{ id: itemId, price: priceId, quantity: 1 }],
    },
  }
}
