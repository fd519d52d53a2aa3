import { z } from 'zod'
import {
  getConversation,
  TurnsQuery,
  WholeConversation,
} from '../../../lib/domain/calls/conversation-history.js'
import { success } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: 'One call of the signed-in user with its turns in order',
    access: 'user',
    limit: 'read',
    params: z.object({ sessionId: z.string() }),
    query: TurnsQuery,
    responses: { 200: { description: 'The call', schema: WholeConversation } },
  },
  async ({ params, query, caller }) =>
    success(await getConversation(caller.user._id, params.sessionId, query)),
)

export default serve('/api/user/conversations/:sessionId', { GET })
