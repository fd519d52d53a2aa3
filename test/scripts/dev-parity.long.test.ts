import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DevProcess, startDev } from './support/dev-process.js'
import { copyRepository, type Project } from './support/project.js'
import { startVercelDevServer, type VercelDevServer } from './support/vercel-dev-server.js'

const fixture = join(import.meta.dirname, 'fixtures', 'functions')

// What `vercel dev` puts around a function's answer (its routing in front of @vercel/node's server), and what
// belongs to one connection or one moment.
const NOT_OF_THE_FUNCTION =
  /^(cache-control|x-everywhere|date|connection|keep-alive|transfer-encoding|ratelimit)$/
// What a function is told of its connection: `vercel dev` adds the platform's part in front of this server.
const NOT_OF_THE_CLIENT = /^(connection|host|x-real-ip|x-forwarded-.*|x-vercel-.*)$/

interface Answer {
  status: number
  headers: Record<string, string>
  cookies: string[]
  body: unknown
}

/** Both servers for one project, and the comparison of their answers to the same request. */
function bothServers({ root, remove }: Pick<Project, 'root' | 'remove'>, functions: Record<string, string>) {
  const data = mkdtempSync(join(tmpdir(), 'leadline-data-'))
  const theirs = new Map<string, VercelDevServer>()
  let ours: DevProcess | undefined

  beforeAll(async () => {
    const { MONGO_URI = '', ADMIN_TOKEN = '', RATE_LIMIT_SCALE = '' } = process.env
    const variables = { MONGO_URI, ADMIN_TOKEN, RATE_LIMIT_SCALE, LOG_LEVEL: 'silent', DATA_DIRECTORY: data }
    const start = async ([path, file]: [string, string]) =>
      void theirs.set(path, await startVercelDevServer(root, file))
    await Promise.all([
      startDev(root, variables).then(started => {
        ours = started
      }),
      ...Object.entries(functions).map(start),
    ])
  }, 180_000)

  afterAll(async () => {
    await Promise.all([ours?.end(), ...[...theirs.values()].map(server => server.stop())])
    rmSync(data, { recursive: true, force: true })
    remove()
  })

  /** @param theirPath where the path given to Vercel's server is another: it gets it from the routing. */
  return async function expectSame(path: string, init: RequestInit = {}, theirPath = path): Promise<Answer> {
    const server = theirs.get(path.replace(/\?.*/, '').replace(/\/$/, ''))
    const url = ours?.url ?? ''
    const headers = new Headers(init.headers)
    headers.set('x-forwarded-host', new URL(url).host)
    headers.set('x-forwarded-proto', 'http')
    const [answer, reference] = await Promise.all([
      fetch(url + path, { redirect: 'manual', ...init }).then(readAnswer),
      fetch(server?.url + theirPath, { redirect: 'manual', ...init, headers }).then(readAnswer),
    ])
    expect(answer).toEqual(reference)
    return answer
  }
}

async function readAnswer(response: Response): Promise<Answer> {
  const headers = [...response.headers].filter(([name]) => !NOT_OF_THE_FUNCTION.test(name))
  const text = await response.text()
  const body =
    response.headers.get('content-type')?.startsWith('application/json') && text ? parse(text) : text
  return {
    status: response.status,
    headers: Object.fromEntries(headers),
    cookies: response.headers.getSetCookie(),
    body,
  }
}

function parse(text: string): unknown {
  const body = JSON.parse(text)
  if (body.headers)
    for (const name of Object.keys(body.headers)) if (NOT_OF_THE_CLIENT.test(name)) delete body.headers[name]
  return body
}

describe('as under @vercel/node: a function', () => {
  const expectSame = bothServers(
    { root: fixture, remove: () => {} },
    {
      '/api/echo': 'api/echo.ts',
      '/api/answers': 'api/answers.ts',
      '/api/items/a%2Fb': 'api/items/[id].ts',
    },
  )

  it.each(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'])('gets %s', async method => {
    expect(await expectSame('/api/echo', { method })).toMatchObject({ status: 203 })
  })

  it.each(['?a=1&a=2&b=%20+%2F&c&=d&e=%F0%9F%98%80&%5B%5D=x', '/', '/?a'])(
    'gets the address with %s',
    async end => {
      const { body } = await expectSame(`/api/echo${end}`)
      expect(body).toMatchObject({ url: expect.stringContaining(`/api/echo${end}`) })
    },
  )

  it('gets the parameter of a dynamic segment in the query', async () => {
    const { body } = await expectSame('/api/items/a%2Fb', {}, '/api/items/a%2Fb?id=a%2Fb')
    expect(body).toMatchObject({ url: expect.stringMatching(/\/api\/items\/a%2Fb\?id=a%2Fb$/) })
  })

  it.each<[string, string | Uint8Array | URLSearchParams, string | undefined]>([
    ['JSON', '{"a":[1,"ü"]}', 'application/json'],
    ['text', 'ü'.repeat(1000), 'text/plain;charset=UTF-8'],
    ['a form', new URLSearchParams({ a: '1 2', b: '&' }), undefined],
    ['nothing', '', 'application/json'],
    ['every byte', Uint8Array.from({ length: 256 }, (_, byte) => byte), undefined],
    ['a megabyte', new Uint8Array(1024 * 1024).fill(7), 'application/octet-stream'],
  ])('gets %s as the body', async (_, body, contentType) => {
    const headers = contentType ? { 'content-type': contentType } : {}
    const { body: seen } = await expectSame('/api/echo', { method: 'POST', body, headers })
    const length = body instanceof URLSearchParams ? String(body).length : Buffer.from(body).length
    expect(seen).toMatchObject({ length })
  })

  it('gets header fields that are repeated, long, or sensitive', async () => {
    const headers = new Headers({ authorization: 'Bearer x', cookie: 'a=1; b=2', 'x-long': 'l'.repeat(4000) })
    headers.append('accept', 'text/html')
    headers.append('accept', 'application/json')
    const { body } = await expectSame('/api/echo', { headers })
    expect(body).toMatchObject({ headers: { accept: 'text/html, application/json', cookie: 'a=1; b=2' } })
  })

  it('sets two cookies', async () => {
    const { status, cookies, headers } = await expectSame('/api/answers?cookies')
    expect(status).toBe(204)
    expect(cookies).toEqual(['first=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT', 'second=2; HttpOnly'])
    expect(headers.vary).toBe('Origin, Cookie')
  })

  it('streams', async () => {
    expect((await expectSame('/api/answers?parts')).body).toBe('first,second,last')
  })

  it('redirects', async () => {
    const { status, headers } = await expectSame('/api/answers?redirect')
    expect([status, headers.location]).toEqual([303, 'https://elsewhere.example/'])
  })

  it('does not read the body', async () => {
    const body = new Uint8Array(1024 * 1024)
    expect((await expectSame('/api/answers', { method: 'POST', body })).body).toBe('without reading the body')
  })
})

describe('as under @vercel/node: our own route', () => {
  const expectSame = bothServers(copyRepository(), {
    '/api/leads': 'api/leads/index.ts',
    '/api/widget-config/a.example': 'api/widget-config/[projectId].ts',
  })
  const headers = { 'x-request-id': 'parity', origin: 'https://a.example' }
  const json = { ...headers, 'content-type': 'application/json' }

  it.each(['GET', 'HEAD'])('answers %s', async method => {
    const path = '/api/widget-config/a.example'
    const { status, body } = await expectSame(path, { method, headers }, `${path}?projectId=a.example`)
    expect(status).toBe(200)
    if (method === 'GET') expect(body).toMatchObject({ projectId: 'a.example' })
  })

  it('refuses', async () => {
    const post = { method: 'POST', headers: json }
    expect(await expectSame('/api/leads', { headers })).toMatchObject({ status: 401 })
    expect(await expectSame('/api/leads', { ...post, body: '{' })).toMatchObject({ status: 400 })
    expect(await expectSame('/api/leads', { ...post, body: '{}' })).toMatchObject({ status: 400 })
    expect(await expectSame('/api/leads', { method: 'DELETE', headers })).toMatchObject({ status: 405 })
    const large = 'a'.repeat(1024 * 1024)
    expect(await expectSame('/api/leads', { ...post, body: large })).toMatchObject({ status: 413 })
  })

  it('answers a preflight', async () => {
    const preflight = { ...headers, 'access-control-request-method': 'POST' }
    const { status, headers: answered } = await expectSame('/api/leads', {
      method: 'OPTIONS',
      headers: preflight,
    })
    expect(status).toBe(204)
    expect(answered['access-control-allow-origin']).toBe('https://a.example')
  })
})
