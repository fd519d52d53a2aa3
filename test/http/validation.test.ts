import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import type { ErrorDetail } from '../../lib/errors.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { emptyDatabase } from '../support/database.js'
import { adminToken, type CallOptions, call } from '../support/request.js'

beforeAll(() => emptyDatabase())

const responses = { 200: { description: 'The input' } }
const Person = z.object({ name: z.string(), age: z.number().int().optional() })

const served = serve('/api/input/:id', {
  GET: route(
    {
      summary: 'Read',
      access: 'public',
      limit: 'config',
      params: z.object({ id: z.string().max(8) }),
      query: z.object({
        limit: z.coerce.number().int().max(200).optional(),
        microsite: z.string().optional(),
      }),
      responses,
    },
    ({ params, query }) => ok({ params, query }),
  ),
  POST: route(
    {
      summary: 'Write',
      access: 'public',
      limit: 'config',
      body: z.object({
        people: z.array(Person).optional(),
        contact: z
          .union([z.string().email(), z.object({ phone: z.object({ number: z.string() }) })])
          .optional(),
        tags: z.union([z.string(), z.array(z.string()).max(2)]).optional(),
      }),
      responses,
    },
    ({ body }) => ok(body),
  ),
})

interface Refusal {
  message: string
  details: ErrorDetail[]
}

async function detailsOf(path: string, options: CallOptions = {}, method = 'POST'): Promise<string[]> {
  const { status, body } = await call<Refusal>(served, method, path, options)
  expect(status).toBe(400)
  return body.details.map(detail => detail.path)
}

describe('the details of a 400', () => {
  it('name every field that is wrong, and the first one in the sentence', async () => {
    const body = { people: [{ name: 'Asha' }, { name: 7 }, { age: 1.5 }], contact: 5 }

    const { body: refused } = await call<Refusal>(served, 'POST', '/api/input/1', { body })

    expect(refused.details.map(detail => detail.path)).toEqual([
      'people.1.name',
      'people.2.name',
      'people.2.age',
      'contact',
    ])
    expect(refused.message).toBe(`people.1.name: ${refused.details[0]?.message}`)
  })

  it('are of the branch of a union that was meant', async () => {
    expect(await detailsOf('/api/input/1', { body: { contact: { phone: { number: 5 } } } })).toEqual([
      'contact.phone.number',
    ])
    expect(await detailsOf('/api/input/1', { body: { contact: 'nobody' } })).toEqual(['contact'])
    expect(await detailsOf('/api/input/1', { body: { tags: ['a', 5] } })).toEqual(['tags.1'])
  })

  it('say of a list in a union what is wrong with the list', async () => {
    const { body } = await call<Refusal>(served, 'POST', '/api/input/1', { body: { tags: ['a', 'b', 'c'] } })

    expect(body.details).toEqual([{ path: 'tags', message: expect.stringContaining('<=2') }])
  })

  it('say where in the request the input was', async () => {
    expect(await detailsOf('/api/input/1?limit=many', {}, 'GET')).toEqual(['query.limit'])
    expect(await detailsOf('/api/input/123456789', {}, 'GET')).toEqual(['params.id'])
  })

  it('are bounded', async () => {
    const people = Array.from({ length: 500 }, () => ({}))

    expect(await detailsOf('/api/input/1', { body: { people } })).toHaveLength(20)
  })

  it('do not repeat what was sent', async () => {
    const body = { contact: 'hunter2', people: [{ name: 'Asha', age: 'hunter2' }] }

    const { text } = await call(served, 'POST', '/api/input/1', { body })

    expect(text).not.toContain('hunter2')
  })

  it('reach into a batch of events', async () => {
    const event = { type: 'chat_shown', projectId: 'p' }
    const post = (body: unknown) => call<Refusal>(eventsRoute, 'POST', '/api/events', { body })

    expect((await post([event, { ...event, type: 5 }])).body.details).toMatchObject([{ path: '1.type' }])
    expect((await post({ ...event, type: '' })).body.details).toMatchObject([{ path: 'type' }])
    expect((await post([])).body.details).toMatchObject([
      { path: '', message: expect.stringContaining('>=1') },
    ])
    expect((await post(Array(101).fill(event))).body.details).toMatchObject([
      { path: '', message: expect.stringContaining('<=100') },
    ])
    expect((await post('5')).body.details).toMatchObject([{ path: '' }])
  })
})

describe('what a schema does not name', () => {
  it('is dropped', async () => {
    const { body } = await call(served, 'GET', '/api/input/1?limit=5&t=1795327006183&_=1795327006183')

    expect(body).toEqual({ params: { id: '1' }, query: { limit: 5 } })
  })

  it.each([
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '__proto__[admin]',
    'constructor.prototype.admin',
  ])('reaches no prototype: %s', async key => {
    const query = `?${encodeURIComponent(key)}=x&limit=5`
    expect((await call(served, 'GET', `/api/input/1${query}`)).body).toEqual({
      params: { id: '1' },
      query: { limit: 5 },
    })

    const text = `{"${key}":{"admin":true},"people":[{"name":"Asha","${key}":{"admin":true}}]}`
    expect((await call(served, 'POST', '/api/input/1', { body: text })).body).toEqual({
      people: [{ name: 'Asha' }],
    })
    expect(Object.prototype).not.toHaveProperty('admin')
  })

  it('is an operator in a query', async () => {
    const { body } = await call(
      served,
      'GET',
      '/api/input/1?microsite[$ne]=x&microsite%5B%24gt%5D=&limit[]=1',
    )
    expect(body).toEqual({ params: { id: '1' }, query: {} })

    const list = await call(leadsRoute, 'GET', '/api/leads?status[$ne]=new&$where=sleep(1)', {
      token: adminToken(),
    })
    expect(list.status).toBe(200)
  })

  it('is an operator in a body where a text is expected', async () => {
    expect(await detailsOf('/api/input/1', { body: { people: [{ name: { $ne: null } }] } })).toEqual([
      'people.0.name',
    ])
    expect(await call(leadsRoute, 'POST', '/api/leads', { body: { phone: { $gt: '' } } })).toMatchObject({
      status: 400,
      body: { details: [{ path: 'phone' }] },
    })
  })
})

describe('a parameter of the path', () => {
  async function idOf(path: string): Promise<unknown> {
    return (await call<{ params: { id: string } }>(served, 'GET', path)).body.params?.id
  }

  it('comes from the path, whatever the query says', async () => {
    expect(await idOf('/api/input/mine?id=yours')).toBe('mine')
  })

  it('is decoded once', async () => {
    expect(await idOf('/api/input/a%20b')).toBe('a b')
    expect(await idOf('/api/input/a%2Fb')).toBe('a/b')
    expect(await idOf('/api/input/%252F')).toBe('%2F')
    expect(await idOf('/api/input/%E2%82%B9')).toBe('₹')
    expect(await idOf('/api/input/a+b')).toBe('a+b')
  })

  it('may be followed by a slash', async () => {
    expect(await idOf('/api/input/1/')).toBe('1')
    expect(await idOf('/api/input/1/?id=2')).toBe('1')
  })

  it.each(['%', '%2', '%zz', '%E2%82', '%c0%af'])(
    'is a 400 where it is no percent-encoding: %s',
    async id => {
      expect(await call(served, 'GET', `/api/input/${id}`)).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', message: 'The path is not valid percent-encoding.' },
      })
    },
  )

  it.each([
    '/api/input',
    '/api/input/',
    '/api/input//',
    '/api/input/1/2',
    '/input/1',
    '/api/inputs/1',
    '//api/input/1',
  ])('is not found in another path: %s', async path => {
    expect(await call(served, 'GET', path)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})

describe('an Idempotency-Key', () => {
  it('has at most 255 characters', async () => {
    const ask = (length: number) =>
      call(served, 'GET', '/api/input/1', { headers: { 'idempotency-key': 'k'.repeat(length) } })

    expect((await ask(255)).status).toBe(200)
    expect(await ask(256)).toMatchObject({
      status: 400,
      body: { details: [{ path: 'headers.idempotency-key' }] },
    })
  })
})
