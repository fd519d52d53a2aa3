import { z } from 'zod'
import { AccountExport, exportAccount } from '../../lib/domain/account-export.js'
import { PublicApiKey, streamApiKeys } from '../../lib/domain/api-keys.js'
import { ExportedConversation, streamConversations } from '../../lib/domain/conversation-history.js'
import { PublicTurn, streamTurns } from '../../lib/domain/conversation-transcript.js'
import { successWithLists } from '../../lib/http/export.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const WholeExport = AccountExport.extend({
  apiKeys: z.array(PublicApiKey),
  conversations: z.array(ExportedConversation),
  conversationTurns: z.array(PublicTurn.extend({ sessionId: z.string() })),
})

const GET = route(
  {
    summary: 'Everything that is stored of the signed-in user',
    access: 'user',
    limit: 'export',
    responses: { 200: { description: 'All own data', schema: WholeExport } },
  },
  async ({ caller: { user }, context }) =>
    successWithLists(await exportAccount(user, context.now), {
      apiKeys: streamApiKeys(user._id),
      conversations: streamConversations(user._id),
      conversationTurns: streamTurns(user._id),
    }),
)

export default serve('/api/user/export', { GET })
