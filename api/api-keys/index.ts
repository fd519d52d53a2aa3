import { z } from 'zod'
import { makerIdOf, ownerIdOf } from '../../lib/auth/callers.js'
import {
  ApiKeyFilter,
  ApiKeyInput,
  ApiKeyPage,
  createApiKey,
  listApiKeys,
  PublicApiKey,
} from '../../lib/domain/accounts/api-keys.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'The API keys of the caller; for an admin, of everybody',
    access: 'account',
    limit: 'read',
    query: ApiKeyFilter,
    responses: { 200: { description: 'A page of keys, without their secrets', schema: ApiKeyPage } },
  },
  async ({ query, caller }) => success(await listApiKeys(ownerIdOf(caller), query)),
)

const POST = route(
  {
    summary: 'Make an API key',
    access: 'account',
    limit: 'write',
    body: ApiKeyInput,
    responses: {
      201: { description: 'The key, this once', schema: z.object({ key: z.string(), apiKey: PublicApiKey }) },
    },
  },
  async ({ body, caller, context }) =>
    success(await createApiKey(body, ownerIdOf(caller), context.now, makerIdOf(caller)), { status: 201 }),
)

export default serve('/api/api-keys', { GET, POST })
