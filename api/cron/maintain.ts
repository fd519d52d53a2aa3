import { MaintenanceReport, maintain } from '../../lib/domain/maintenance/maintenance.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'Run the maintenance jobs',
    access: 'cron',
    limit: 'maintenance',
    responses: { 200: { description: 'What each job did', schema: MaintenanceReport } },
  },
  async ({ context }) => ok(await maintain(context.now, context.logFailure)),
)

export default serve('/api/cron/maintain', { GET })
