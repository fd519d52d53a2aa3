import { RegisterInput, register } from '../../lib/domain/accounts/accounts.js'
import { requireOwnPage, SignedInAnswer, signedIn, signUpReceived } from '../../lib/http/account-replies.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

export const registerRoute = route(
  {
    summary: 'Create an account',
    access: 'public',
    limit: 'register',
    body: RegisterInput,
    responses: {
      201: { description: 'The account, signed in', schema: SignedInAnswer },
      202: { description: 'In strict mode, whether or not the address was taken' },
    },
  },
  async ({ body, context }) => {
    requireOwnPage(body.session, context)
    const account = await register(body, context)
    return account ? signedIn(account, body.session, 201) : signUpReceived()
  },
)

export default serve('/api/auth/register', { POST: registerRoute })
