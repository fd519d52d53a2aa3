import { z } from 'zod'
import { InventoryNumber, removePhoneNumber } from '../../lib/domain/phones/phone-numbers.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const DELETE = route(
  {
    summary: 'Take a free phone number out of the inventory',
    access: 'admin',
    limit: 'write',
    params: z.object({ phoneNumber: InventoryNumber }),
    responses: { 200: { description: 'It is gone' } },
  },
  async ({ params }) => {
    await removePhoneNumber(params.phoneNumber)
    return success(null)
  },
)

export default serve('/api/phone-numbers/:phoneNumber', { DELETE })
