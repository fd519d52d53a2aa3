import { REFRESH_COOKIE } from '../../lib/auth/cookies.js'
import { RefreshInput, refresh } from '../../lib/domain/accounts/accounts.js'
import { SignedInAnswer, signedIn } from '../../lib/http/account-replies.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Exchange a refresh token for new tokens',
    access: 'public',
    limit: 'account-token',
    body: RefreshInput.default({}),
    responses: { 200: { description: 'The user, signed in', schema: SignedInAnswer } },
  },
  async ({ body, context }) => {
    // A cookie counts only from our own pages; a token in the body is its own proof.
    const fromCookie = context.fromOwnPage ? context.cookie(REFRESH_COOKIE) : undefined
    const account = await refresh(body.refreshToken ?? fromCookie ?? '', context.now)
    return signedIn(account, body.refreshToken === undefined ? 'cookie' : 'token')
  },
)

export default serve('/api/auth/refresh', { POST })
