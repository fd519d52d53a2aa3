import { BillingPage, CheckoutInput, startCheckout } from '../../lib/domain/billing/billing.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Open the page on which a plan is bought or changed',
    access: 'user',
    limit: 'billing',
    body: CheckoutInput,
    responses: { 200: { description: 'Where the browser is to go', schema: BillingPage } },
  },
  async ({ body, caller, context }) => {
    const page = await startCheckout(caller.user, body, context)
    return success(page, { topLevel: page })
  },
)

export default serve('/api/billing/checkout', { POST })
