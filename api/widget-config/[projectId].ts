import { z } from 'zod'
import { editorIfAny } from '../../lib/auth/callers.js'
import { WidgetConfigInput } from '../../lib/domain/widgets/widget-config-input.js'
import { projectOfSuggestion, saveOrSuggest } from '../../lib/domain/widgets/widget-config-writes.js'
import { findWidgetConfig, ProjectId, PublicWidgetConfig } from '../../lib/domain/widgets/widget-configs.js'
import { ok, sharedBriefly } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const params = z.object({ projectId: ProjectId })

const GET = route(
  {
    summary: "A project's widget configuration",
    access: 'public',
    limit: 'config',
    params,
    project: ({ params }) => findWidgetConfig(params.projectId),
    responses: { 200: { description: 'The configuration, defaults merged in', schema: PublicWidgetConfig } },
  },
  ({ project }) => (project.stale ? ok(project.config) : ok(project.config, sharedBriefly)),
)

const write = route(
  {
    summary: "Change a project's configuration, or suggest its facts without a key",
    access: 'anyone',
    scope: 'widgets:write',
    limit: 'config-write',
    params,
    body: WidgetConfigInput,
    project: async ({ params, body, caller }) =>
      caller.kind === 'public' ? projectOfSuggestion(params.projectId, body) : undefined,
    responses: { 200: { description: 'The stored configuration', schema: PublicWidgetConfig } },
  },
  async ({ params, body, caller, context }) =>
    ok(await saveOrSuggest(params.projectId, body, editorIfAny(caller), context.now, context.ifMatch)),
)

export default serve('/api/widget-config/:projectId', { GET, POST: write, PUT: write })
