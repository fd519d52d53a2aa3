import { beforeAll, describe, expect, it } from 'vitest'
import eventsRoute from '../../api/events/index.js'
import leadsRoute from '../../api/leads/index.js'
import widgetConfigRoute from '../../api/widget-config/[projectId].js'
import { rateCounters } from '../../lib/domain/rate-counters.js'
import { ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { call } from '../support/request.js'

const responses = { 200: { description: 'The thing' } }
const GET = route({ summary: 'Read', access: 'public', limit: 'config', responses }, () => ok({ thing: 1 }))
const POST = route({ summary: 'Write', access: 'public', limit: 'config', responses }, () => ok({ thing: 2 }))

const readable = serve('/api/things', { GET })
const writable = serve('/api/things', { POST })
const both = serve('/api/things', { GET, POST })

const origin = 'https://nivasa-enchante.example'

// Before the limiter has its collection it may give up counting, and such an answer says nothing of a limit.
beforeAll(async () => void (await rateCounters.open()))

describe('HEAD', () => {
  it('is answered as GET is, without the body', async () => {
    const got = await call(readable, 'GET', '/api/things')
    const head = await call(readable, 'HEAD', '/api/things')

    expect(head.status).toBe(200)
    expect(head.text).toBe('')
    expect(got.body).toEqual({ thing: 1 })
    expect([...head.headers.keys()]).toEqual([...got.headers.keys()])
    expect(head.headers.get('content-type')).toBe(got.headers.get('content-type'))
  })

  it('has no body with an error either', async () => {
    const head = await call(readable, 'HEAD', '/api/elsewhere')

    expect(head.status).toBe(404)
    expect(head.text).toBe('')
  })

  it('is refused where there is no GET', async () => {
    expect(await call(writable, 'HEAD', '/api/things')).toMatchObject({ status: 405, text: '' })
  })
})

describe('a method that a route does not have', () => {
  it.each(['PUT', 'DELETE', 'PROPFIND', 'constructor', 'toString', '__proto__'])(
    'is a 405 in the envelope: %s',
    async method => {
      const refused = await call(both, method, '/api/things', { origin })

      expect(refused.status).toBe(405)
      expect(refused.body).toEqual({
        success: false,
        code: 'method_not_allowed',
        error: 'This method is not supported here.',
        message: 'This method is not supported here.',
        requestId: refused.headers.get('x-request-id'),
      })
      expect(refused.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
      expect(refused.headers.get('access-control-allow-origin')).toBe(origin)
      expect(refused.headers.get('access-control-expose-headers')).toMatch(/\bAllow\b/)
    },
  )

  it('is told only what there is', async () => {
    expect((await call(writable, 'GET', '/api/things')).headers.get('allow')).toBe('POST, OPTIONS')
  })
})

describe('OPTIONS', () => {
  it('says what there is, without a body', async () => {
    const answer = await call(both, 'OPTIONS', '/api/things')

    expect(answer).toMatchObject({ status: 204, text: '' })
    expect(answer.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('answers a preflight for the page that asks, with credentials', async () => {
    const answer = await preflight({ 'access-control-request-headers': 'content-type' })

    expect(answer.status).toBe(204)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST, HEAD, OPTIONS',
      'access-control-allow-headers': 'content-type',
      'access-control-max-age': '7200',
      vary: 'Origin, Access-Control-Request-Headers',
    })
  })

  it.each([
    ['/api/events', eventsRoute],
    ['/api/leads', leadsRoute],
    ['/api/widget-config/nivasa-enchante', widgetConfigRoute],
  ])(
    'answers the preflights of deployed widgets with every header they were made for: %s',
    async (path, widgetRoute) => {
      const headers = {
        accept: '*/*',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      }

      const answer = await call(widgetRoute, 'OPTIONS', path, { origin, headers })

      expect(answer.status).toBe(204)
      expect([...answer.headers.keys()]).toEqual(
        expect.arrayContaining([
          'access-control-allow-credentials',
          'access-control-allow-headers',
          'access-control-allow-methods',
          'access-control-allow-origin',
          'access-control-expose-headers',
          'vary',
        ]),
      )
    },
  )

  it.each([
    'content-type,x-requested-with',
    'authorization, x-widget-key ,x-api-version',
    "x-odd!#$%&'*+.^`|~-name",
  ])('allows the headers that an old client asks for: %s', async asked => {
    const answer = await preflight({ 'access-control-request-headers': asked })

    expect(answer.headers.get('access-control-allow-headers')).toBe(asked)
  })

  it.each(['', ' ', ',', 'content-type,,x-a', 'content type', '"quoted"', 'a:b', 'x-é', '*/*', '<script>'])(
    'does not repeat what is no list of header names: %j',
    async asked => {
      const answer = await preflight({ 'access-control-request-headers': asked })

      expect(answer.headers.get('access-control-allow-headers')).toMatch(
        /^Authorization, Content-Type, Idempotency-Key, /,
      )
    },
  )

  it('takes a long list of nothing in its stride', async () => {
    const answer = await preflight({ 'access-control-request-headers': `a${' ,'.repeat(20_000)}` })

    expect(answer.headers.get('access-control-allow-headers')).toMatch(/^Authorization, /)
  })

  function preflight(headers: Record<string, string>) {
    const method = { 'access-control-request-method': 'POST' }
    return call(both, 'OPTIONS', '/api/things', { origin, headers: { ...method, ...headers } })
  }
})
