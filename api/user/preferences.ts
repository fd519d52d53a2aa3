import {
  Preferences,
  PreferencesInput,
  updateUserPreferences,
} from '../../lib/domain/accounts/user-profiles.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const PUT = route(
  {
    summary: 'Change any of the preferences',
    access: 'user',
    limit: 'write',
    body: PreferencesInput,
    responses: { 200: { description: 'All preferences', schema: Preferences } },
  },
  async ({ body, caller, context }) =>
    success(await updateUserPreferences(caller.user._id, body, context.now)),
)

export default serve('/api/user/preferences', { PUT })
