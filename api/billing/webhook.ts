import { z } from 'zod'
import { receiveStripeEvent } from '../../lib/domain/billing/stripe-events.js'
import { RawBody } from '../../lib/http/body.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Take an event that Stripe signed',
    access: 'public',
    limit: 'billing-webhook',
    body: RawBody,
    maxBodyBytes: 1024 * 1024,
    responses: {
      200: { description: 'The event was taken', schema: z.object({ received: z.literal(true) }) },
    },
  },
  async ({ body, context }) => {
    await receiveStripeEvent(body, context.header('stripe-signature'), context)
    return ok({ received: true })
  },
)

export default serve('/api/billing/webhook', { POST })
