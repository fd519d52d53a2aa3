import { randomUUID } from 'node:crypto'
import { MongoServerError } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AppError, type ErrorCode, errorTable, invalidField } from '../../lib/errors.js'
import { ok, type Reply } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { call } from '../support/request.js'

const origin = 'https://site.example'

function answering(handler: () => Reply | Promise<Reply>) {
  const GET = route(
    { summary: 'Answer', access: 'public', limit: 'config', responses: { 200: { description: 'Answer' } } },
    handler,
  )
  return serve('/api/answer', { GET })
}

function throwing(error: unknown) {
  return answering(() => {
    throw error
  })
}

describe('an error', () => {
  it.each(Object.entries(errorTable))('has one shape and one status by its code: %s', async (code, entry) => {
    const answer = await call(throwing(new AppError(code as ErrorCode)), 'GET', '/api/answer', { origin })

    expect(answer.status).toBe(entry.status)
    expect(answer.body).toEqual({
      success: false,
      code,
      error: entry.message,
      message: entry.message,
      requestId: answer.headers.get('x-request-id'),
    })
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
  })

  it('names the field and says when to come back', async () => {
    const { body } = await call(throwing(invalidField('phone', 'is missing')), 'GET', '/api/answer')
    const away = new AppError('unavailable', 'Away.', { retryAfterSeconds: 7 })

    expect(body).toMatchObject({
      error: 'phone: is missing',
      details: [{ path: 'phone', message: 'is missing' }],
    })
    const retry = await call(throwing(away), 'GET', '/api/answer')
    expect(retry.headers.get('retry-after')).toBe('7')
    expect(retry.body).toMatchObject({ message: 'Away.' })
  })

  const secret = '+919811100000'
  it.each([
    ['an Error', new Error(`cannot read ${secret}`)],
    ['its cause', new Error('outer', { cause: new Error(secret) })],
    ['a string', secret],
    ['null', null],
    ['an object', { status: 418, message: secret }],
    ['a ZodError, which does not come from input', z.string().safeParse({ [secret]: 1 }).error],
    [
      'a database error',
      new MongoServerError({ code: 11000, errmsg: `E11000 dup key: { phone: "${secret}" }` }),
    ],
  ])('that nobody foresaw says nothing of itself: %s', async (_, thrown) => {
    const answer = await call(throwing(thrown), 'GET', '/api/answer', { origin })

    expect(answer.status).toBe(500)
    expect(answer.body).toEqual({
      success: false,
      code: 'internal',
      error: 'Something went wrong on our side.',
      message: 'Something went wrong on our side.',
      requestId: answer.headers.get('x-request-id'),
    })
    expect([...answer.headers.values()].join()).not.toContain(secret)
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
  })

  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  it.each([
    ['a body that JSON cannot say', ok({ n: 1n })],
    ['a body that holds itself', ok(cyclic)],
    ['a header that HTTP cannot say', ok({}, { 'X-Note': 'one\ntwo' })],
    ['a status there is not', { status: 42, body: {}, headers: {} }],
  ])('in making the answer is answered in the envelope too: %s', async (_, reply) => {
    const answer = await call(
      answering(() => reply),
      'GET',
      '/api/answer',
      { origin },
    )

    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } })
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
  })
})

describe('every answer', () => {
  const GET = route(
    {
      summary: 'Answer',
      access: 'public',
      limit: 'config',
      query: z.object({ fail: z.enum(['no', 'app', 'bug']).default('no') }),
      responses: { 200: { description: 'Answer' } },
    },
    ({ query }) => {
      if (query.fail === 'bug') throw new Error('bug')
      if (query.fail === 'app') throw new AppError('conflict')
      return ok({})
    },
  )
  const guarded = route(
    { summary: 'Read', access: 'operator', limit: 'read', responses: { 200: { description: 'Answer' } } },
    () => ok({}),
  )
  const served = serve('/api/answer', { GET, DELETE: guarded })

  it.each([
    ['a success', 'GET', '/api/answer', 200],
    ['HEAD', 'HEAD', '/api/answer', 200],
    ['a preflight', 'OPTIONS', '/api/answer', 204],
    ['a 400', 'GET', '/api/answer?fail=x', 400],
    ['a 401', 'DELETE', '/api/answer', 401],
    ['a 404', 'GET', '/api/answer/x', 404],
    ['a 405', 'PUT', '/api/answer', 405],
    ['a 409', 'GET', '/api/answer?fail=app', 409],
    ['a 500', 'GET', '/api/answer?fail=bug', 500],
  ])('carries the security headers and is not kept: %s', async (_, method, path, status) => {
    const answer = await call(served, method, path, { origin })

    expect(answer.status).toBe(status)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': expect.stringMatching(/^max-age=\d{8}/),
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': origin,
      vary: expect.stringContaining('Origin'),
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  it('says with a 401, and with nothing else, how to authenticate', async () => {
    const challengeOf = async (method: string, path: string) =>
      (await call(served, method, path)).headers.get('www-authenticate')

    expect(await challengeOf('DELETE', '/api/answer')).toBe('Bearer')
    expect(await challengeOf('GET', '/api/answer?fail=app')).toBeNull()
  })

  it.each(['req_1', randomUUID(), 'a'.repeat(128), 'iad1::abc-1700000000000-0123456789ab', 'v1.2'])(
    'repeats the id that the request came with: %s',
    async id => {
      const answer = await call(served, 'GET', '/api/answer?fail=app', { headers: { 'x-request-id': id } })

      expect(answer.headers.get('x-request-id')).toBe(id)
      expect(answer.body).toMatchObject({ requestId: id })
    },
  )

  it.each(['', ' ', 'a b', 'a'.repeat(129), '<script>', 'a;b', 'a,b', 'é', '{"a":1}', 'a/b', '%0a'])(
    'has an id of its own where that one is no id: %j',
    async id => {
      const answer = await call(served, 'GET', '/api/answer?fail=app', { headers: { 'x-request-id': id } })

      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
      expect(answer.body).toMatchObject({ requestId: answer.headers.get('x-request-id') })
    },
  )
})
