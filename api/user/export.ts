import {
  AccountExport,
  AccountLists,
  accountLists,
  exportAccount,
} from '../../lib/domain/accounts/account-export.js'
import { successWithLists } from '../../lib/http/export.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'Everything that is stored of the signed-in user',
    access: 'user',
    limit: 'export',
    responses: { 200: { description: 'All own data', schema: AccountExport.extend(AccountLists.shape) } },
  },
  async ({ caller: { user }, context }) =>
    successWithLists(await exportAccount(user, context.now), accountLists(user)),
)

export default serve('/api/user/export', { GET })
