import { LoginInput, login } from '../../lib/domain/accounts/accounts.js'
import { requireOwnPage, SignedInAnswer, signedIn } from '../../lib/http/account-replies.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Sign in with e-mail and password',
    access: 'public',
    limit: 'login',
    body: LoginInput,
    responses: { 200: { description: 'The user, signed in', schema: SignedInAnswer } },
  },
  async ({ body, context }) => {
    requireOwnPage(body.session, context)
    return signedIn(await login(body, context), body.session)
  },
)

export default serve('/api/auth/login', { POST })
