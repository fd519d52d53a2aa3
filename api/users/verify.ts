import { z } from 'zod'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const verify = route(
  {
    summary: 'Whether the token of an old dashboard still works',
    access: 'user',
    limit: 'read',
    responses: {
      200: {
        description: 'It does',
        schema: z.object({ success: z.literal(true), username: z.string(), expiresAt: z.date() }),
      },
    },
  },
  ({ caller }) => ok({ success: true, username: caller.user.email, expiresAt: caller.expiresAt }),
)

export default serve('/api/users/verify', { GET: verify, POST: verify })
