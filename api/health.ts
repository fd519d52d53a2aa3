import { z } from 'zod'
import { checkHealth, Health } from '../lib/domain/maintenance/health.js'
import { ok } from '../lib/http/reply.js'
import { route } from '../lib/http/route.js'
import { serve } from '../lib/http/serve.js'

const GET = route(
  {
    summary: 'Whether the deployment lives (?probe=live) and is ready',
    access: 'public',
    limit: 'health',
    query: z.object({ probe: z.enum(['live', 'ready']).default('ready') }),
    responses: {
      200: {
        description: 'Ready; a 503 names what is not',
        schema: z.union([Health, z.object({ live: z.literal(true) })]),
      },
    },
  },
  async ({ query }) => ok(query.probe === 'live' ? { live: true } : await checkHealth()),
)

export default serve('/api/health', { GET })
