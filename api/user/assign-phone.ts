import { getProfile, PublicProfile } from '../../lib/domain/accounts/account-profiles.js'
import { assignPhoneNumber } from '../../lib/domain/phones/phone-assignments.js'
import { AssignPhoneInput } from '../../lib/domain/phones/phone-numbers.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const POST = route(
  {
    summary: 'Take a free phone number of the inventory',
    access: 'user',
    limit: 'write',
    body: AssignPhoneInput.default({}),
    responses: { 200: { description: 'The user with the number', schema: PublicProfile } },
  },
  async ({ body, caller, context }) => {
    await assignPhoneNumber(caller.user._id, body.phoneNumber, context.now)
    return success(await getProfile(caller.user, context.now))
  },
)

export default serve('/api/user/assign-phone', { POST })
