import { callScopeOf } from '../../lib/auth/callers.js'
import { Admission, AdmitCallInput, admitCall } from '../../lib/domain/calls/admission.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Reserve a call of the plan before it is answered',
    access: 'service',
    scope: 'calls:write',
    limit: 'admission',
    body: AdmitCallInput,
    responses: {
      200: { description: 'Whether the call is let through, and for how long', schema: Admission },
    },
  },
  async ({ body, caller, context }) => success(await admitCall(callScopeOf(caller), body, context.now)),
)

export default serve('/api/calls/admit', { POST })
