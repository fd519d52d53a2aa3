import { z } from 'zod'
import { editorOf } from '../../../lib/auth/callers.js'
import { RollbackInput, rollBackWidgetConfig } from '../../../lib/domain/widgets/widget-config-revisions.js'
import { ProjectId, PublicWidgetConfig } from '../../../lib/domain/widgets/widget-configs.js'
import { ok } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Make an earlier version of the configuration the current one again',
    access: 'operator',
    scope: 'widgets:write',
    limit: 'write',
    params: z.object({ projectId: ProjectId }),
    body: RollbackInput,
    responses: { 200: { description: 'The configuration', schema: PublicWidgetConfig } },
  },
  async ({ params, body, caller, context }) =>
    ok(await rollBackWidgetConfig(params.projectId, body, editorOf(caller), context.now)),
)

export default serve('/api/widget-config/:projectId/rollback', { POST })
