import { listUsers, UserFilter, UserPage } from '../../../lib/domain/accounts/user-administration.js'
import { success } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: 'All users, newest first',
    access: 'admin',
    limit: 'read',
    query: UserFilter,
    responses: { 200: { description: 'A page of users', schema: UserPage } },
  },
  async ({ query }) => success(await listUsers(query)),
)

export default serve('/api/admin/users', { GET })
