import { VerifyEmailInput, verifyEmail } from '../../lib/domain/accounts/accounts.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Prove an e-mail address with a mailed token',
    access: 'public',
    limit: 'account-token',
    body: VerifyEmailInput,
    responses: { 200: { description: 'The address is proven; the token is used up' } },
  },
  async ({ body, context }) =>
    success({ user: await verifyEmail(body.token, context.now) }, { message: 'E-mail address verified' }),
)

export default serve('/api/auth/verify-email', { POST })
