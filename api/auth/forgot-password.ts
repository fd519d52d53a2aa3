import { EmailInput, requestPasswordReset } from '../../lib/domain/accounts/accounts.js'
import { mailRequested } from '../../lib/http/account-replies.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Ask for a mail that lets a forgotten password be replaced',
    access: 'public',
    limit: 'account-mail',
    body: EmailInput,
    responses: { 200: { description: 'The same for every address' } },
  },
  async ({ body, context }) => {
    await requestPasswordReset(body.email, context)
    return mailRequested()
  },
)

export default serve('/api/auth/forgot-password', { POST })
