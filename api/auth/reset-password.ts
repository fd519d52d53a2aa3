import { ResetPasswordInput, resetPassword } from '../../lib/domain/accounts/accounts.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Replace a password with a mailed token; ends every session',
    access: 'public',
    limit: 'account-token',
    body: ResetPasswordInput,
    responses: { 200: { description: 'The new password is in force; the token is used up' } },
  },
  async ({ body, context }) => {
    await resetPassword(body.token, body.password, context)
    return success(null, { message: 'Password changed: sign in again' })
  },
)

export default serve('/api/auth/reset-password', { POST })
