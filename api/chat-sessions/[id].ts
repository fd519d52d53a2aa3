import { z } from 'zod'
import { dataScopeOf } from '../../lib/auth/callers.js'
import { ChatSessionAnswer } from '../../lib/domain/chats/session-capture.js'
import { getChatSession } from '../../lib/domain/chats/session-list.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'One chat with all its messages',
    access: 'operator',
    scope: 'leads:read',
    limit: 'read',
    params: z.object({ id: z.string() }),
    responses: { 200: { description: 'The chat', schema: ChatSessionAnswer } },
  },
  async ({ params, caller }) => ok({ session: await getChatSession(dataScopeOf(caller), params.id) }),
)

export default serve('/api/chat-sessions/:id', { GET })
