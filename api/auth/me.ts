import { z } from 'zod'
import { PublicUser, toPublicUser } from '../../lib/domain/accounts/users.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'The signed-in user',
    access: 'user',
    limit: 'read',
    responses: {
      200: {
        description: 'The user',
        schema: z.object({ success: z.literal(true), user: PublicUser, data: PublicUser }),
      },
    },
  },
  ({ caller }) => {
    const user = toPublicUser(caller.user)
    return success(user, { topLevel: { user } })
  },
)

export default serve('/api/auth/me', { GET })
