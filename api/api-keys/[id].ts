import { z } from 'zod'
import { ownerIdOf } from '../../lib/auth/callers.js'
import { PublicApiKey, revokeApiKey } from '../../lib/domain/accounts/api-keys.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const DELETE = route(
  {
    summary: 'Revoke an API key, at once and for good',
    access: 'account',
    limit: 'write',
    params: z.object({ id: z.string() }),
    responses: { 200: { description: 'The revoked key', schema: PublicApiKey } },
  },
  async ({ params, caller, context }) =>
    success(await revokeApiKey(params.id, ownerIdOf(caller), context.now)),
)

export default serve('/api/api-keys/:id', { DELETE })
