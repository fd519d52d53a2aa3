import { DashboardAnswer, DashboardLogin, dashboardLogin } from '../../lib/domain/accounts/dashboard-login.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Sign in as old dashboards do',
    access: 'public',
    limit: 'login',
    body: DashboardLogin,
    responses: { 200: { description: 'A token and when it ends', schema: DashboardAnswer } },
  },
  async ({ body, context }) => ok(await dashboardLogin(body, context)),
)

export default serve('/api/users/auth', { POST })
