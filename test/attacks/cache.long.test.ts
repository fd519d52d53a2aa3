import { beforeAll, describe, expect, it } from 'vitest'
import { type DeclaredVerb, declaredVerbs } from '../support/declared-routes.js'
import { type Answer, adminToken, type CallOptions, call } from '../support/request.js'
import { attemptsAt } from './attempts.js'
import { vocabularyOf } from './vocabulary.js'
import { buildWorld, type World } from './world.js'

// A shared cache keeps an answer under its URL and what Vary names, which is Origin. Whatever else a client sends
// must not be in it: others would get it.

let world: World
beforeAll(async () => {
  world = await buildWorld()
})

const PAGE = 'https://victim.example'

/** What no cache looks at. */
const unkeyed: Record<string, (world: World) => Record<string, string>> = {
  'another host in front': () => ({
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': '1',
    'x-forwarded-prefix': '/evil',
    'x-host': 'evil.example',
    forwarded: 'host=evil.example;proto=http',
  }),
  'another path': () => ({ 'x-original-url': '/api/leads', 'x-rewrite-url': '/api/leads' }),
  'another method': () => ({ 'x-http-method-override': 'DELETE', 'x-http-method': 'DELETE' }),
  'an id of its own': () => ({ 'x-request-id': 'evil' }),
  'another address': () => ({ 'x-real-ip': '198.51.100.66', 'x-forwarded-for': '198.51.100.66' }),
  'another taste': () => ({
    accept: 'text/html',
    'accept-language': 'hi',
    'accept-encoding': 'br',
    prefer: 'x',
  }),
  'another browser': () => ({ 'user-agent': '<script>', referer: 'https://evil.example/' }),
  'an owner': ({ victim }) => victim.user.headers,
  'an admin': () => ({ authorization: `Bearer ${adminToken()}` }),
  'a key': ({ victim }) => ({ 'x-api-key': victim.key.secret }),
  'a cookie': ({ victim }) => ({ cookie: `__Host-leadline=${victim.user.token}` }),
  'half of it': () => ({ range: 'bytes=0-1' }),
  'a body': () => ({ 'content-type': 'text/html', 'content-length': '5' }),
}

const reads = declaredVerbs.filter(({ verb }) => verb === 'GET')

function ask({ route }: DeclaredVerb, path: string, options: CallOptions = {}): Promise<Answer<unknown>> {
  return call(route, 'GET', path, { origin: PAGE, ...options })
}

function isShared({ headers }: Answer<unknown>): boolean {
  return !/^no-store$/.test(headers.get('cache-control') ?? '')
}

/** The paths of a route whose answers to this caller a cache may keep. */
async function sharedPaths(declared: DeclaredVerb, headers: Record<string, string>): Promise<string[]> {
  const paths = new Set(attemptsAt(declared, vocabularyOf(world), {}).map(({ path }) => path))
  const answered = await Promise.all(
    [...paths].slice(0, 20).map(async path => ({ path, answer: await ask(declared, path, { headers }) })),
  )
  return answered.filter(({ answer }) => isShared(answer)).map(({ path }) => path)
}

describe('what a shared cache may keep', () => {
  it('is the same for everybody: no route that asks who somebody is, whoever asks', async () => {
    const kept = new Set<string>()
    for (const declared of reads)
      for (const headersOf of Object.values(unkeyed))
        if ((await sharedPaths(declared, headersOf(world))).length > 0) kept.add(declared.name)

    const open = reads.filter(({ declaration: { access } }) => access === 'public').map(({ name }) => name)
    expect(kept.size).toBeGreaterThan(0)
    expect([...kept].filter(name => !open.includes(name))).toEqual([])
  })

  it.each(Object.entries(unkeyed))('has nothing in it of who asked with %s', async (_, headersOf) => {
    let compared = 0
    for (const declared of reads)
      for (const path of await sharedPaths(declared, {})) {
        const plain = await ask(declared, path)
        const poisoned = await ask(declared, path, { headers: headersOf(world) })
        expect(poisoned.status, path).toBe(200)
        expect(poisoned.text, path).toBe(plain.text)
        expect(Object.fromEntries(poisoned.headers), path).toEqual(Object.fromEntries(plain.headers))
        expect(poisoned.headers.getSetCookie()).toEqual([])
        compared += 1
      }
    expect(compared).toBeGreaterThan(3)
  })

  it('differs by the page that asks in what lets the page read it alone, and says so', async () => {
    for (const declared of reads)
      for (const path of await sharedPaths(declared, {})) {
        const [page, none] = [await ask(declared, path), await call(declared.route, 'GET', path)]
        expect(none.text).toBe(page.text)
        expect(page.headers.get('access-control-allow-origin')).toBe(PAGE)
        for (const { headers } of [page, none]) expect(headers.get('vary')).toBe('Origin')
      }
  })

  it('is no refusal: a page that may not read it keeps nobody else from it', async () => {
    for (const declared of reads)
      for (const path of await sharedPaths(declared, {})) {
        const refused = await ask(declared, path, { origin: 'https://evil.example' })
        if (refused.status !== 200) expect(refused.headers.get('cache-control')).toBe('no-store')
      }
  })
})
