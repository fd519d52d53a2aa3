import { ResendInput, requestVerification } from '../../lib/domain/accounts/accounts.js'
import { mailRequested } from '../../lib/http/account-replies.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Ask for another verification mail',
    access: 'anyone',
    limit: 'account-mail',
    body: ResendInput.default({}),
    responses: { 200: { description: 'The same for every address' } },
  },
  async ({ body, caller, context }) => {
    await requestVerification(body, caller.kind === 'user' ? caller.user : undefined, context)
    return mailRequested()
  },
)

export default serve('/api/auth/resend-verification', { POST })
