import { hash } from 'node:crypto'
import type Stripe from 'stripe'
import { ask, unlessMissing } from './client.js'

/** Who pays, as Stripe is told. */
export interface NewCustomer {
  userId: string
  email: string
  name: string | undefined
  /** The one in whose place it is. */
  replaces: string | undefined
}

/**
 * Makes a customer. The same one again for the same request within a day, so that neither a retry nor a second tab
 * makes two.
 */
export async function createCustomer({ replaces, ...customer }: NewCustomer): Promise<string> {
  const { userId, email, name } = customer
  const params = { email, ...(name !== undefined && { name }), metadata: { userId } }
  const idempotencyKey = keyOf('customer', params, replaces)
  return (await ask(client => client.customers.create(params, { idempotencyKey }))).id
}

/** Deletes a customer, with what Stripe knows of them as a person, and ends all their subscriptions at once. */
export async function deleteCustomer(id: string): Promise<void> {
  await unlessMissing(() => ask(client => client.customers.del(id)))
}

/** A page of Stripe's on which a subscription is bought. */
export interface CheckoutSession {
  id: string
  /** Only an open one can still be paid. */
  isOpen: boolean
  url: string | undefined
  priceId: string | undefined
  customerId: string | undefined
}

export interface NewCheckout {
  userId: string
  customerId: string
  priceId: string
  successUrl: string
  cancelUrl: string
  /** The session before this one: after it the same request means another session. */
  previousId: string | undefined
}

/**
 * Opens a page on which a subscription can be bought. The same one again for the same request: of a double click
 * both get one page, which can be paid once.
 */
export async function openCheckout({ previousId, ...checkout }: NewCheckout): Promise<CheckoutSession> {
  const { userId, customerId, priceId, successUrl, cancelUrl } = checkout
  const params: Stripe.Checkout.SessionCreateParams = {
    mode: 'subscription',
    customer: customerId,
    client_reference_id: userId,
    line_items: [{ price: priceId, quantity: 1 }],
    success_url: successUrl,
    cancel_url: cancelUrl,
    metadata: { userId, priceId },
    subscription_data: { metadata: { userId } },
  }
  const idempotencyKey = keyOf('checkout', params, previousId)
  return toSession(await ask(client => client.checkout.sessions.create(params, { idempotencyKey })))
}

export async function findCheckout(id: string): Promise<CheckoutSession | undefined> {
  const session = await unlessMissing(() => ask(client => client.checkout.sessions.retrieve(id)))
  return session && toSession(session)
}

/** Closes a page that nobody is to pay any more. Returns it as it is then: paid, perhaps, just before. */
export async function expireCheckout(id: string): Promise<CheckoutSession | undefined> {
  try {
    return toSession(await ask(client => client.checkout.sessions.expire(id)))
  } catch (error) {
    // Refused for one that is paid or expired already.
    const session = await findCheckout(id)
    if (session?.isOpen) throw error
    return session
  }
}

function toSession({ id, status, url, metadata, customer }: Stripe.Checkout.Session): CheckoutSession {
  const customerId = typeof customer === 'string' ? customer : customer?.id
  return { id, isOpen: status === 'open', url: url ?? undefined, priceId: metadata?.priceId, customerId }
}

/** Stripe refuses a key that comes again with another request: so it is made of the request. */
function keyOf(purpose: string, params: object, after: string | undefined): string {
  return `${purpose}-${hash('sha256', JSON.stringify([params, after ?? null]), 'base64url')}`
}
