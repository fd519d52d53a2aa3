import { z } from 'zod'
import { env } from '../env.js'
import { AppError } from '../errors.js'
import { stripe } from './client.js'

/** That something happened at Stripe, and whom it is about. What it says of them may be old news by now. */
export interface BillingEvent {
  id: string
  type: string
  customerId: string | undefined
}

const Event = z.object({
  id: z.string().min(1).max(255),
  type: z.string(),
  data: z.object({
    object: z.object({
      id: z.string().optional(),
      object: z.string(),
      customer: z.union([z.string(), z.object({ id: z.string() })]).nullish(),
    }),
  }),
})

/**
 * The event in a webhook, if Stripe signed it within the last five minutes.
 *
 * @param body as it came, byte for byte.
 * @param signature the header `Stripe-Signature` (https://docs.stripe.com/webhooks/signatures).
 * @throws {AppError} `invalid_request` for what Stripe did not sign, `not_configured` without a secret.
 */
export async function verifyEvent(
  body: Uint8Array,
  signature: string | undefined,
  now: Date,
): Promise<BillingEvent> {
  const { stripeWebhookSecret: secret } = env()
  const { webhooks } = await stripe()
  if (!secret) throw new AppError('not_configured', 'Webhooks are not configured: set STRIPE_WEBHOOK_SECRET.')
  try {
    const signed = webhooks.constructEvent(body, signature ?? '', secret, undefined, undefined, now.getTime())
    const { id, type, data } = Event.parse(signed)
    return { id, type, customerId: customerOf(data.object) }
  } catch (cause) {
    throw new AppError('invalid_request', 'This is not an event that Stripe signed.', { cause })
  }
}

function customerOf({ id, object, customer }: z.infer<typeof Event>['data']['object']): string | undefined {
  if (object === 'customer') return id
  return typeof customer === 'string' ? customer : customer?.id
}
