import { AccountExport, exportAccount } from '../../lib/domain/erasure.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'Everything that is stored of the signed-in user',
    access: 'user',
    limit: 'read',
    responses: { 200: { description: 'All own data', schema: AccountExport } },
  },
  async ({ caller, context }) => success(await exportAccount(caller.user, context.now)),
)

export default serve('/api/user/export', { GET })
