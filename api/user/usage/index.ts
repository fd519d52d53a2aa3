import { checkUsageLimits, UsageReport } from '../../../lib/domain/usage/usage.js'
import { success } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: 'What is used of the plan this month, and when it runs out',
    access: 'user',
    limit: 'read',
    responses: { 200: { description: 'The usage of the current period', schema: UsageReport } },
  },
  async ({ caller, context }) => success(await checkUsageLimits(caller.user, context.now)),
)

export default serve('/api/user/usage', { GET })
