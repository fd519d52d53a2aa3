import { answerChat, ChatAnswer } from '../lib/domain/answers/chat-answers.js'
import { ChatInput } from '../lib/domain/answers/chat-input.js'
import { findConfigOf } from '../lib/domain/leads/captured-input.js'
import { ok } from '../lib/http/reply.js'
import { route } from '../lib/http/route.js'
import { serve } from '../lib/http/serve.js'

const POST = route(
  {
    summary: "Answer a visitor's question about the property",
    access: 'public',
    limit: 'chat',
    body: ChatInput,
    project: ({ body: { projectId, microsite }, origin }) =>
      findConfigOf({ microsite, metadata: { projectId } }, origin),
    responses: { 200: { description: 'The answer, of a model or by rule', schema: ChatAnswer } },
  },
  async ({ body, project, context }) => ok(await answerChat(body, project, context)),
)

export default serve('/api/chat', { POST })
