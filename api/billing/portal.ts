import { BillingPage, openBillingPortal } from '../../lib/domain/billing/billing.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Open the pages on which a subscription is paid, changed or cancelled',
    access: 'user',
    limit: 'billing',
    responses: { 200: { description: 'Where the browser is to go', schema: BillingPage } },
  },
  async ({ caller }) => {
    const page = await openBillingPortal(caller.user)
    return success(page, { topLevel: page })
  },
)

export default serve('/api/billing/portal', { POST })
