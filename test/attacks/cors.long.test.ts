import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { Access } from '../../lib/auth/caller.js'
import { ACCESS_COOKIE } from '../../lib/auth/cookies.js'
import { rateCounters } from '../../lib/domain/rate-counters.js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { AppError } from '../../lib/errors.js'
import { RawBody } from '../../lib/http/body.js'
import { policies } from '../../lib/rate-limit/policies.js'
import { emptyDatabase } from '../support/database.js'
import { type DeclaredVerb, declaredVerbs } from '../support/declared-routes.js'
import { EVERY_FEATURE } from '../support/fixtures/environment.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { type Answer, adminToken, type CallOptions, call } from '../support/request.js'
import { createTestUser, type TestUser } from '../support/users.js'

// Which pages a project admits, spelling by spelling, is in test/http/cors.test.ts; here every route meets every page.

Object.assign(process.env, EVERY_FEATURE, { APP_ORIGINS: 'https://console.example' })

const OURS = 'https://console.example'
const LISTED = 'https://listed.example'
const FOREIGN = ['https://elsewhere.example', 'null', 'http://listed.example.elsewhere.example']
const ORIGINS = [LISTED, OURS, ...FOREIGN]

let user: TestUser

beforeAll(async () => {
  await emptyDatabase()
  user = await createTestUser()
  const config = storedWidgetConfig({ projectId: 'listed', domains: ['listed.example'] })
  await (await widgetConfigs.open()).insertOne(config)
})

type Headers = Record<string, string>

/** What a page may send along: a beacon's credentials are the browser's to add, a token is the page's own. */
const credentials: Record<string, () => Headers> = {
  none: () => ({}),
  'a cookie': () => ({ cookie: `${ACCESS_COOKIE}=${user.token}` }),
  'a token': () => user.headers,
}

/** Credentials that open a route. */
function keyTo(access: Access): Headers {
  if (access === 'public' || access === 'anyone') return {}
  if (access === 'cron') return { authorization: `Bearer ${EVERY_FEATURE.CRON_SECRET}` }
  return access === 'user' ? user.headers : { authorization: `Bearer ${adminToken()}` }
}

const PATH: Headers = { projectId: 'listed', domain: 'listed.example', phoneNumber: '%2B14155550199' }

/** A body that names the project in the way of every route which belongs to one. */
const OF_PROJECT = {
  type: 'chat_shown',
  projectId: 'listed',
  microsite: 'listed',
  message: 'Hello',
  metadata: { projectId: 'listed' },
  propertyInfo: { projectName: 'Listed' },
  conversation: [{ id: '1', type: 'user', text: 'Hello', timestamp: 1 }],
}

/** A request that gets as far as its route lets it, and does no harm there: any body but a project's is broken. */
function ask({ verb, path, route, declaration }: DeclaredVerb, options: CallOptions): Promise<Answer<Body>> {
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => PATH[name] ?? '0'.repeat(24))
  const body = declaration.body && { body: declaration.project ? OF_PROJECT : '{' }
  return call(route, verb, filled, { ...body, ...options })
}

interface Body {
  code?: string
  message?: string
}

function expectReadable({ status, headers }: Answer<unknown>, origin: string, what: string): void {
  expect(headers.get('access-control-allow-origin'), `${what}: ${status}`).toBe(origin)
  expect(headers.get('access-control-allow-credentials'), `${what}: ${status}`).toBe('true')
  expect(headers.get('vary'), `${what}: ${status}`).toContain('Origin')
}

function expectUnreadable({ status, headers }: Answer<unknown>, what: string): void {
  const names = [...headers.keys()].filter(name => name.startsWith('access-control'))
  expect(names, `${what}: ${status}`).toEqual([])
  expect(headers.get('vary'), `${what}: ${status}`).toContain('Origin')
}

describe.each(declaredVerbs)('$name', declared => {
  const { verb, route, path, declaration } = declared

  it('tells a preflight its own origin, whoever asks', async () => {
    for (const origin of ORIGINS) {
      const asked = {
        'access-control-request-method': verb,
        'access-control-request-headers': 'content-type',
      }
      const answer = await call(route, 'OPTIONS', path, { origin, headers: asked })
      expect(answer.status).toBe(204)
      expectReadable(answer, origin, origin)
      expect(answer.headers.get('access-control-allow-methods')?.split(', ')).toContain(verb)
      expect(answer.headers.get('access-control-allow-headers')).toBe('content-type')
      expect(answer.headers.get('vary')).toContain('Access-Control-Request-Headers')
    }
    const noPage = await call(route, 'OPTIONS', path)
    expect(noPage.status).toBe(204)
    expect(noPage.headers.get('access-control-allow-origin')).toBeNull()
  })

  it.each(Object.entries(credentials))('is read by the page that asks, with %s', async (name, headersOf) => {
    for (const origin of ORIGINS) {
      const answer = await ask(declared, { origin, headers: headersOf() })
      const what = `${origin} with ${name}`
      // A page that the project does not list may not even read that it is refused; who proves to be somebody
      // is known by that, where it is looked at.
      const isByPage = declaration.access === 'public' || name === 'none'
      if (declaration.project && isByPage && FOREIGN.includes(origin)) {
        expect(answer.status, what).toBe(403)
        expectUnreadable(answer, what)
      } else expectReadable(answer, origin, what)
    }
    expectUnreadable(await ask(declared, { headers: headersOf() }), `no page with ${name}`)
  })

  it('has its refusals read as well', async () => {
    const headers = keyTo(declaration.access)
    const open = { origin: LISTED, headers }
    const { body } = declaration
    const long = { ...headers, 'content-length': '99999999' }
    const html = { ...headers, 'content-type': 'text/html' }
    const refusals: Record<number, Promise<Answer<Body>>> = {
      405: call(route, 'PROPFIND', path, open),
      404: call(route, verb, `${path}/and/more`, open),
      ...(headers.authorization && { 401: ask(declared, { origin: LISTED }) }),
      ...(body && { 400: ask(declared, { ...open, body: '{' }) }),
      ...(body && { 413: ask(declared, { ...open, headers: long }) }),
      // One that is taken as it comes may be called anything.
      ...(body && body !== RawBody && { 415: ask(declared, { ...open, headers: html }) }),
    }
    for (const [status, refusal] of Object.entries(refusals)) {
      const answer = await refusal
      expect(String(answer.status)).toBe(status)
      expectReadable(answer, LISTED, status)
    }
  })

  it('has a page read that there were too many requests, and that the database is away', async () => {
    const open = { origin: LISTED, headers: keyTo(declaration.access) }
    const counters = await rateCounters.open()
    vi.spyOn(counters, 'findOneAndUpdate').mockResolvedValue({ count: 1e9 } as never)
    const opening = vi.spyOn(rateCounters, 'open').mockResolvedValue(counters)
    const limited = await ask(declared, open)
    expect(limited.status).toBe(429)
    expect(limited.headers.get('access-control-expose-headers')).toContain('Retry-After')
    expectReadable(limited, LISTED, '429')

    opening.mockRejectedValue(new AppError('unavailable'))
    const away = await ask(declared, open)
    if (policies[declaration.limit].whenUnavailable === 'closed') expect(away.status).toBe(503)
    expectReadable(away, LISTED, String(away.status))
  })
})

const forAccounts = declaredVerbs.filter(({ declaration: { access } }) =>
  ['user', 'account', 'operator'].includes(access),
)

describe.each(forAccounts)('$name', declared => {
  it('takes a cookie from our own pages only', async () => {
    const headers = { cookie: `${ACCESS_COOKIE}=${user.token}` }
    for (const origin of [LISTED, ...FOREIGN])
      expect([401, 403], origin).toContain((await ask(declared, { origin, headers })).status)
    expect([401, 403]).not.toContain((await ask(declared, { origin: OURS, headers })).status)
  })
})
