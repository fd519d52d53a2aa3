import { listPlans, PlanTable } from '../lib/domain/usage/plans.js'
import { sharedBriefly, success } from '../lib/http/reply.js'
import { route } from '../lib/http/route.js'
import { serve } from '../lib/http/serve.js'

const GET = route(
  {
    summary: 'The plans and what each allows a month',
    access: 'public',
    limit: 'config',
    responses: { 200: { description: 'The plans, smallest first', schema: PlanTable } },
  },
  () => success(listPlans(), { headers: sharedBriefly }),
)

export default serve('/api/plans', { GET })
