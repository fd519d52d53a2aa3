import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getTransformedRoutes } from '@vercel/routing-utils'
import { beforeAll, describe, expect, it } from 'vitest'
import single from '../../lib/single/function.js'
import { findTemplate, routes } from '../../lib/single/routes.js'
import { resolveRequest } from '../../scripts/dev/resolve-request.js'
import { type RouteTable, readRouteTable } from '../../scripts/dev/route-table.js'
import { type DeclaredVerb, declaredVerbs, servedRoutes } from '../support/declared-routes.js'
import { type Answer, adminToken, call } from '../support/request.js'

const root = join(import.meta.dirname, '..', '..')

function templateOf(file: string): string {
  return `/${file.replace(/\.ts$/, '').replace(/\/index$/, '')}`.replace(/\[(\w+)\]/g, ':$1')
}

describe('the table', () => {
  const lines = readdirSync(join(root, 'api'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => `api/${file}`)
    .map(file => `'${templateOf(file)}': () => import('../../${file.replace(/\.ts$/, '.js')}'),`)
  const source = readFileSync(join(root, 'lib/single/routes.ts'), 'utf8')

  it('has a line for each file under api/, and no other', () => {
    const written = source.split('\n').filter(line => line.includes('import('))
    expect(written.map(line => line.trim())).toEqual(lines.sort())
  })

  it('imports no route before it is asked for', () => {
    expect(source).not.toMatch(/^import .*api\//m)
  })

  it('has each route at its own path', async () => {
    for (const [path, load] of Object.entries(routes)) expect((await load()).default.path).toBe(path)
  })
})

/** Paths that could be of two routes above all: each parameter with every word that stands there elsewhere. */
function confusablePaths(): string[] {
  const templates = servedRoutes.map(({ path }) => path.split('/'))
  const words = (at: number) => new Set(templates.map(names => names[at]).filter(name => name !== undefined))
  return templates.flatMap(names =>
    names.reduce<string[]>(
      (paths, name, at) =>
        paths.flatMap(path =>
          name.startsWith(':')
            ? ['x', ...words(at)].filter(word => !word.startsWith(':')).map(word => `${path}/${word}`)
            : [at === 0 ? '' : `${path}/${name}`],
        ),
      [''],
    ),
  )
}

describe('a path', () => {
  let table: RouteTable
  beforeAll(async () => {
    table = await readRouteTable(root)
  })

  it.each(['', '/', '/x', '?id=y'])(
    'leads where it does as a function each, with "%s" behind it',
    async end => {
      for (const path of confusablePaths()) {
        const resolution = await resolveRequest(table, path + end)
        const expected = resolution.kind === 'function' ? templateOf(resolution.entry.file) : undefined
        // Behind a parameter Vercel takes no slash; the single function is as lenient there as elsewhere.
        if (expected === undefined && end === '/') continue
        const { pathname } = new URL(path + end, 'https://leadline.example')
        expect(findTemplate(pathname), path + end).toBe(expected)
      }
    },
  )

  it.each([
    '/api',
    '/api/',
    '/api/nothing',
    '/api/leads/a/b',
    '/public/index.html',
    '/lib/single/function.ts',
  ])('of no route, %s, is a 404 that a page may read', async path => {
    const answer = await call(single, 'POST', path, { origin: 'https://site.example', body: {} })
    expect(answer).toMatchObject({ status: 404, body: { success: false, code: 'not_found' } })
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://site.example')
  })
})

describe.each(declaredVerbs)('$name', ({ verb, path, route }: DeclaredVerb) => {
  const example = path.replace(/:\w+/g, 'example')
  const said = ({ status, headers, body }: Answer<{ code?: string } | undefined>) => ({
    status,
    code: body?.code,
    allow: headers.get('allow'),
    policy: headers.get('ratelimit-policy'),
    methods: headers.get('access-control-allow-methods'),
  })

  it('answers as it does alone', async () => {
    for (const [method, options] of [
      ['OPTIONS', { origin: 'https://site.example' }],
      [verb, {}],
      [verb, { token: adminToken(), body: verb === 'GET' ? undefined : 'no JSON' }],
      ['TRACED', {}],
    ] as const) {
      const alone = said(await call(route, method, example, options))
      expect(said(await call(single, method, example, options))).toEqual(alone)
      expect(alone.status).not.toBe(500)
    }
  })
})

describe('vercel.single.json', () => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8'))
  const [each, whole] = [read('vercel.json'), read('vercel.single.json')]

  it('has the headers and crons of the other shape, and a route for each cron', () => {
    expect(whole.headers).toEqual(each.headers)
    expect(whole.crons).toEqual(each.crons)
    for (const { path } of whole.crons) expect(routes).toHaveProperty([path])
  })

  it.each([
    ['/', '/public/'],
    ['/account/verify-email.html', '/public/account/verify-email.html'],
    ['/apiary', '/public/apiary'],
    ['/api', '/lib/single/function.ts'],
    ['/api/leads/a/b', '/lib/single/function.ts'],
  ])('leads %s to %s', (path, destination) => {
    const { routes: rules } = getTransformedRoutes(whole)
    const rule = rules?.find(({ src, dest }) => dest !== undefined && new RegExp(src ?? '$^').test(path))
    expect(path.replace(new RegExp(rule?.src ?? ''), rule?.dest ?? '')).toBe(destination)
    expect(whole.builds.map(({ src }: { src: string }) => `/${src.replace('**', '')}`)).toEqual([
      '/lib/single/function.ts',
      '/public/',
    ])
  })

  it('gives the function as long as it has there', async () => {
    const { config } = await import('../../lib/single/function.js')
    expect(config).toEqual(each.functions['api/**/*.ts'])
  })
})
