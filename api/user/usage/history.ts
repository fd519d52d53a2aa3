import { listUsageHistory, UsageHistoryPage, UsageHistoryQuery } from '../../../lib/domain/usage/usage.js'
import { success } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: 'The usage of each month of the plan, newest first',
    access: 'user',
    limit: 'read',
    query: UsageHistoryQuery,
    responses: { 200: { description: 'A page of periods', schema: UsageHistoryPage } },
  },
  async ({ query, caller, context }) => success(await listUsageHistory(caller.user._id, query, context.now)),
)

export default serve('/api/user/usage/history', { GET })
