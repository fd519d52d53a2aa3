import { z } from 'zod'
import { editorOf } from '../../../lib/auth/callers.js'
import { listRevisions, RevisionList } from '../../../lib/domain/widgets/widget-config-revisions.js'
import { ProjectId } from '../../../lib/domain/widgets/widget-configs.js'
import { ok } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: "The last versions of a project's configuration, and what an old widget suggests",
    access: 'operator',
    scope: 'widgets:write',
    limit: 'read',
    params: z.object({ projectId: ProjectId }),
    responses: {
      200: { description: 'The current version and those before, newest first', schema: RevisionList },
    },
  },
  async ({ params, caller }) => ok(await listRevisions(params.projectId, editorOf(caller))),
)

export default serve('/api/widget-config/:projectId/revisions', { GET })
