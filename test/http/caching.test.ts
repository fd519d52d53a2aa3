import { describe, expect, it } from 'vitest'
import widgetConfigRoute from '../../api/widget-config/[projectId].js'
import { AppError } from '../../lib/errors.js'
import { created, ok } from '../../lib/http/reply.js'
import { route } from '../../lib/http/route.js'
import { serve } from '../../lib/http/serve.js'
import { call } from '../support/request.js'

const declaration = {
  summary: 'Answer',
  access: 'public',
  limit: 'config',
  responses: { 200: { description: 'The answer' } },
} as const
const shared = { 'Cache-Control': 'public, max-age=0, s-maxage=60' }

const cacheable = serve('/api/thing', {
  GET: route(declaration, () => ok({ text: 'Grüße' }, shared)),
  POST: route(declaration, () => ({ ...created({}), headers: shared })),
})
const fresh = serve('/api/thing', { GET: route(declaration, () => ok({})) })
const failing = serve('/api/thing', {
  GET: route(declaration, () => {
    throw new AppError('not_found')
  }),
})

function get(served: typeof cacheable, ifNoneMatch?: string, method = 'GET') {
  const headers = ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }
  return call(served, method, '/api/thing', { headers, origin: 'https://site.example' })
}

describe('an answer that may be kept', () => {
  it('has the same tag while it says the same', async () => {
    const [first, second] = [await get(cacheable), await get(cacheable)]

    expect(first.headers.get('etag')).toMatch(/^"[\w-]{22}"$/)
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'))
    expect(first.headers.get('cache-control')).toBe(shared['Cache-Control'])
  })

  it('is a 304 without a body to who has it, with the headers that a cache needs', async () => {
    const tag = (await get(cacheable)).headers.get('etag') ?? ''

    for (const sent of [tag, `W/${tag}`, `"other", W/${tag}`, '*', `"a,b",${tag}`]) {
      const answer = await get(cacheable, sent)
      expect(answer, sent).toMatchObject({ status: 304, text: '' })
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        etag: tag,
        'cache-control': shared['Cache-Control'],
        vary: 'Origin',
        'access-control-allow-origin': 'https://site.example',
      })
      expect(answer.headers.get('content-type')).toBeNull()
    }
  })

  it('is sent whole to who has something else', async () => {
    const tag = (await get(cacheable)).headers.get('etag') ?? ''

    for (const sent of ['"other"', tag.replaceAll('"', ''), tag.slice(0, -1), '', 'W/"*"'])
      expect((await get(cacheable, sent)).status, sent).toBe(200)
  })

  it('has its tag for HEAD too', async () => {
    const tag = (await get(cacheable)).headers.get('etag')

    const head = await get(cacheable, undefined, 'HEAD')
    expect(head).toMatchObject({ status: 200, text: '' })
    expect(head.headers.get('etag')).toBe(tag)
    expect((await get(cacheable, tag ?? '', 'HEAD')).status).toBe(304)
  })

  it('is a widget’s configuration, whose changes show within a minute', async () => {
    const path = '/api/widget-config/caching?t=1795327006183'
    const first = await call(widgetConfigRoute, 'GET', path)
    const headers = { 'if-none-match': first.headers.get('etag') }

    const directives = first.headers.get('cache-control') ?? ''
    const secondsOf = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(directives)?.[1])
    expect(secondsOf('s-maxage')).toBeGreaterThan(0)
    expect(secondsOf('s-maxage') + secondsOf('stale-while-revalidate')).toBeLessThanOrEqual(60)
    expect((await call(widgetConfigRoute, 'GET', path, { headers })).status).toBe(304)
  })
})

describe('an answer that may not be kept', () => {
  it.each([
    ['of a plain route', fresh, 'GET', 200],
    ['that is an error', failing, 'GET', 404],
  ])('has no tag and is never a 304: %s', async (_, served, method, status) => {
    const answer = await get(served, '*', method)

    expect(answer.status).toBe(status)
    expect(answer.headers.get('etag')).toBeNull()
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it('is one that stored something, whatever it says of itself', async () => {
    const answer = await get(cacheable, '*', 'POST')

    expect(answer.status).toBe(201)
    expect(answer.headers.get('etag')).toBeNull()
  })
})
