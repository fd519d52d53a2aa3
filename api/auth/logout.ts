import { clearedCookies } from '../../lib/auth/cookies.js'
import { LogoutInput, logout } from '../../lib/domain/accounts/accounts.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

export const logoutRoute = route(
  {
    summary: 'End this session, or every session of the user',
    access: 'user',
    limit: 'write',
    body: LogoutInput.default({}),
    responses: { 200: { description: 'The token stopped working' } },
  },
  async ({ body, caller, context }) => {
    await logout(caller.user._id, caller.sessionId, body, context.now)
    return success(null, { message: 'Logged out', cookies: clearedCookies() })
  },
)

export default serve('/api/auth/logout', { POST: logoutRoute })
