import { callScopeOf } from '../../lib/auth/callers.js'
import { SavedConversation, saveConversation } from '../../lib/domain/calls/conversation-ingest.js'
import { ConversationInput } from '../../lib/domain/calls/conversation-input.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Save a turn of a call, or how far the call is',
    access: 'service',
    scope: 'calls:write',
    limit: 'calls',
    body: ConversationInput,
    maxBodyBytes: 256 * 1024,
    responses: {
      200: { description: 'The call as it stands, also where nothing was new', schema: SavedConversation },
      201: { description: 'The new call', schema: SavedConversation },
    },
  },
  async ({ body, caller, context }) => {
    const scope = callScopeOf(caller)
    const { conversation, isNew } = await saveConversation(body, scope, context.now, context.background)
    return success(conversation, { status: isNew ? 201 : 200 })
  },
)

export default serve('/api/conversations', { POST })
