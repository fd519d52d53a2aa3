import { z } from 'zod'
import { findProjectByDomain, ProjectOfDomain } from '../../../lib/domain/widgets/widget-configs.js'
import { ok, sharedBriefly } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: 'The project that a domain belongs to',
    access: 'public',
    limit: 'config',
    params: z.object({ domain: z.string().trim().min(1).max(300) }),
    responses: {
      200: { description: 'A domain of nobody is a project of its own', schema: ProjectOfDomain },
    },
  },
  async ({ params }) => {
    const { stale, ...found } = await findProjectByDomain(params.domain)
    return stale ? ok(found) : ok(found, sharedBriefly)
  },
)

export default serve('/api/widget-config/domain/:domain', { GET })
