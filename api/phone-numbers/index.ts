import { z } from 'zod'
import {
  addPhoneNumbers,
  listPhoneNumbers,
  PhoneNumberFilter,
  PhoneNumberPage,
  PhoneNumbersInput,
} from '../../lib/domain/phones/phone-numbers.js'
import { success } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'

const GET = route(
  {
    summary: 'The inventory of phone numbers',
    access: 'admin',
    limit: 'read',
    query: PhoneNumberFilter,
    responses: { 200: { description: 'A page of numbers', schema: PhoneNumberPage } },
  },
  async ({ query }) => success(await listPhoneNumbers(query)),
)

const POST = route(
  {
    summary: 'Add phone numbers to the inventory',
    access: 'admin',
    limit: 'write',
    body: PhoneNumbersInput,
    // A thousand numbers with their providers, also where a client escapes every character.
    maxBodyBytes: 1024 * 1024,
    responses: { 201: { description: 'How many were new', schema: z.object({ added: z.number().int() }) } },
  },
  async ({ body, context }) =>
    success({ added: await addPhoneNumbers(body.phoneNumbers, context.now) }, { status: 201 }),
)

export default serve('/api/phone-numbers', { GET, POST })
