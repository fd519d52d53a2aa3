import { expect, it } from 'vitest'
import { ok } from '../../lib/http/reply.js'
import { type RequestContext, route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { call } from '../support/request.js'

let context: RequestContext | undefined

const served = serve('/api/context', {
  GET: route(
    { summary: 'Context', access: 'public', limit: 'config', responses: { 200: { description: 'Nothing' } } },
    input => {
      context = input.context
      return ok({})
    },
  ),
})

async function contextOf(headers: Record<string, string> = {}): Promise<RequestContext | undefined> {
  await call(served, 'GET', '/api/context', { headers })
  return context
}

it('knows nothing that a request does not say', async () => {
  expect(await contextOf()).toMatchObject({
    origin: null,
    userAgent: '',
    idempotencyKey: undefined,
    strict: false,
    clientAddress: '203.0.113.7',
    now: expect.any(Date),
  })
})

// RFC 7240, section 2: preferences are a list, their values may be quoted, and case does not matter.
it.each([
  ['handling=strict', true],
  ['Handling="strict"', true],
  ['respond-async, handling=strict', true],
  ['return=minimal; foo, handling = strict', true],
  ['handling=lenient', false],
  ['handling=strictly', false],
  ['mishandling=strict', false],
  ['strict', false],
])('takes an error rather than a repair for who prefers it: %s', async (prefer, strict) => {
  expect((await contextOf({ prefer }))?.strict).toBe(strict)
})

it.each([
  [' key-1 ', 'key-1'],
  ['', undefined],
  ['  ', undefined],
])('takes the key of a request as it is, without blanks: %j', async (key, expected) => {
  expect((await contextOf({ 'idempotency-key': key }))?.idempotencyKey).toBe(expected)
})
