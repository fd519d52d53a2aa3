import {
  ConversationFilter,
  ConversationPage,
  listConversations,
} from '../../../lib/domain/calls/conversation-history.js'
import { success } from '../../../lib/http/reply.js'
import { route } from '../../../lib/http/route.js'
import { serve } from '../../../lib/http/serve.js'

const GET = route(
  {
    summary: 'List the calls of the signed-in user, newest first',
    access: 'user',
    limit: 'read',
    query: ConversationFilter,
    responses: { 200: { description: 'A page of calls, without their turns', schema: ConversationPage } },
  },
  async ({ query, caller }) => success(await listConversations(caller.user._id, query)),
)

export default serve('/api/user/conversations', { GET })
