import { getProfile, PublicProfile, updateProfile } from '../../lib/domain/accounts/account-profiles.js'
import { ProfileInput } from '../../lib/domain/accounts/user-profiles.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const responses = { 200: { description: 'The user with its profile', schema: PublicProfile } }

const GET = route(
  { summary: 'The signed-in user with its profile', access: 'user', limit: 'read', responses },
  async ({ caller, context }) => success(await getProfile(caller.user, context.now)),
)

const PATCH = route(
  {
    summary: 'Change name, phone or what the agent knows of the business',
    access: 'user',
    limit: 'write',
    body: ProfileInput,
    responses,
  },
  async ({ body, caller, context }) => success(await updateProfile(caller.user, body, context.now)),
)

export default serve('/api/user/profile', { GET, PATCH })
