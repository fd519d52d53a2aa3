import { dataScopeOf } from '../../lib/auth/callers.js'
import { ChatSessionAnswer, saveChatSession } from '../../lib/domain/chats/session-capture.js'
import { ChatSessionFilter, ChatSessionPage, listChatSessions } from '../../lib/domain/chats/session-list.js'
import { ChatSessionInput, findProjectOf } from '../../lib/domain/leads/captured-input.js'
import { created, ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const answer = { description: 'The chat with the messages that were sent', schema: ChatSessionAnswer }

const POST = route(
  {
    summary: 'Store a chat, or append to it what is new',
    access: 'public',
    limit: 'capture',
    body: ChatSessionInput,
    maxBodyBytes: 512 * 1024,
    project: ({ body, origin }) => findProjectOf(body, origin),
    responses: { 200: answer, 201: answer },
  },
  async ({ body, project, context }) => {
    const { session, isNew } = await saveChatSession(body, project, context.now)
    return isNew ? created({ session }) : ok({ session })
  },
)

const GET = route(
  {
    summary: 'List chats, newest first',
    access: 'operator',
    scope: 'leads:read',
    limit: 'read',
    query: ChatSessionFilter,
    responses: { 200: { description: 'A page of chats', schema: ChatSessionPage } },
  },
  async ({ query, caller }) => ok(await listChatSessions(dataScopeOf(caller), query)),
)

export default serve('/api/chat-sessions', { GET, POST })
