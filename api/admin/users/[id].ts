import { z } from 'zod'
import { administerUser, UserChange } from '../../../lib/domain/accounts/user-administration.js'
import { PublicUser } from '../../../lib/domain/accounts/users.js'
import { success } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const PATCH = route(
  {
    summary: 'Change the role of a user, suspend it or let it back in',
    access: 'admin',
    limit: 'write',
    params: z.object({ id: z.string() }),
    body: UserChange,
    responses: { 200: { description: 'The user', schema: PublicUser } },
  },
  async ({ params, body, context }) => success(await administerUser(params.id, body, context.now)),
)

export default serve('/api/admin/users/:id', { PATCH })
