import { clearedCookies } from '../../lib/auth/cookies.js'
import { DeleteAccountInput, deleteAccount, ErasureReceipt } from '../../lib/domain/accounts/erasure.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const DELETE = route(
  {
    summary: 'Erase the account of the signed-in user',
    access: 'user',
    limit: 'login',
    body: DeleteAccountInput,
    responses: { 200: { description: 'The receipt of the erasure', schema: ErasureReceipt } },
  },
  async ({ body, caller, context }) =>
    success(await deleteAccount(caller.user, body.password, context), { cookies: clearedCookies() }),
)

export default serve('/api/user', { DELETE })
