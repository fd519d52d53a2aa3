import { z } from 'zod'
import { findWidgetConfig, ProjectId, PublicWidgetConfig } from '../../lib/domain/widget-configs.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: "A project's widget configuration",
    access: 'public',
    limit: 'config',
    params: z.object({ projectId: ProjectId }),
    project: ({ params }) => findWidgetConfig(params.projectId),
    responses: { 200: { description: 'The configuration, defaults merged in', schema: PublicWidgetConfig } },
  },
  ({ project }) => (project.stale ? ok(project.config) : ok(project.config, sharedBriefly)),
)

/** Every page view of every microsite asks for this: the shared cache answers most, and a change shows in a minute. */
const sharedBriefly = { 'Cache-Control': 'public, max-age=0, s-maxage=60, stale-while-revalidate=600' }

export default serve('/api/widget-config/:projectId', { GET })
