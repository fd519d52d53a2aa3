import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveRequest } from '../../../scripts/dev/resolve-request.js'
import { type RouteTable, readRouteTable } from '../../../scripts/dev/route-table.js'
import { makeProject, makeTestProject, type Project } from '../support/project.js'

// The expectations are what `vercel dev` (60.1.3) answered for these files and this configuration, but for three
// faults of it: it finds no file with a space in its name, mangles the query of a rewrite, and takes a path that
// cannot be decoded for one that is not there.
const FILES = Object.fromEntries(
  [
    'api/index.ts',
    'api/_private.ts',
    'api/.hidden.ts',
    'api/_private/a.ts',
    'api/types.d.ts',
    'api/events/index.ts',
    'api/leads/index.ts',
    'api/leads/[id].ts',
    'api/leads/export.ts',
    'api/leads/[id]/notes.ts',
    'api/openapi.json.ts',
    'public/index.html',
    'public/docs/index.html',
    'public/plain',
    'public/a b.txt',
    'lib/secret.ts',
    'outside.txt',
  ].map(path => [path, '']),
)
const CONFIG = {
  functions: { 'api/**/*.ts': { maxDuration: 30 } },
  headers: [
    { source: '/(.*)', headers: [{ key: 'X-Everywhere', value: '1' }] },
    { source: '/api/:path*', headers: [{ key: 'X-Api', value: ':path' }] },
  ],
  redirects: [{ source: '/old/:id', destination: '/new/:id' }],
  rewrites: [{ source: '/short/:id', destination: '/api/leads/:id?via=short' }],
}

let project: Project
let table: RouteTable

beforeAll(async () => {
  project = makeProject({ ...FILES, 'vercel.json': JSON.stringify(CONFIG) })
  table = await readRouteTable(project.root)
})

afterAll(() => project.remove())

async function answerTo(target: string): Promise<string> {
  const resolution = await resolveRequest(table, target)
  switch (resolution.kind) {
    case 'function':
      return `${resolution.entry.file} ${resolution.url}`
    case 'file':
      return resolution.file.path.slice(project.root.length + 1)
    case 'redirect':
      return `${resolution.status} ${resolution.location}`
    case 'platform':
      return resolution.answer.code
  }
}

describe('functions', () => {
  it.each([
    ['/api', 'api/index.ts /api'],
    ['/api/', 'api/index.ts /api/'],
    ['/api/leads', 'api/leads/index.ts /api/leads'],
    ['/api/leads/', 'api/leads/index.ts /api/leads/'],
    ['/api/leads/index', 'api/leads/index.ts /api/leads/index'],
    ['/api/leads?a=1&a=2&b=%20', 'api/leads/index.ts /api/leads?a=1&a=2&b=%20'],
    ['/api/leads/export', 'api/leads/export.ts /api/leads/export'],
    ['/api/leads/export.ts', 'api/leads/export.ts /api/leads/export.ts'],
    ['/api/leads/5', 'api/leads/[id].ts /api/leads/5?id=5'],
    ['/api/leads/%41%20b', 'api/leads/[id].ts /api/leads/%41%20b?id=A%20b'],
    ['/api/leads/a%2Fb', 'api/leads/[id].ts /api/leads/a%2Fb?id=a%2Fb'],
    ['/api/leads/5/notes', 'api/leads/[id]/notes.ts /api/leads/5/notes?id=5'],
    ['/api/openapi.json', 'api/openapi.json.ts /api/openapi.json'],
    ['/short/5', 'api/leads/[id].ts /short/5?id=5&via=short'],
  ])('%s', async (target, expected) => {
    expect(await answerTo(target)).toBe(expected)
  })

  it('let a client override the parameter of a dynamic segment, as on Vercel', async () => {
    expect(await answerTo('/api/leads/5?id=9&b')).toBe('api/leads/[id].ts /api/leads/5?id=9&b')
  })

  it('have the limits of vercel.json', () => {
    const limits = { maxDurationSeconds: 30, supportsCancellation: false }
    expect(table.functions.get('api/leads/index')).toEqual({ file: 'api/leads/index.ts', ...limits })
  })

  it('are not made of private files, declarations, or anything outside api/', () => {
    expect([...table.functions.values()].map(({ file }) => file).sort()).toEqual([
      'api/events/index.ts',
      'api/index.ts',
      'api/leads/[id].ts',
      'api/leads/[id]/notes.ts',
      'api/leads/export.ts',
      'api/leads/index.ts',
      'api/openapi.json.ts',
    ])
  })
})

describe('files', () => {
  it.each([
    ['/', 'public/index.html'],
    ['/index.html', 'public/index.html'],
    ['/docs', 'public/docs/index.html'],
    ['/docs/', 'public/docs/index.html'],
    ['/plain?x', 'public/plain'],
    ['/a%20b.txt', 'public/a b.txt'],
  ])('%s', async (target, expected) => {
    expect(await answerTo(target)).toBe(expected)
  })
})

describe('nothing', () => {
  it.each([
    '/nothing',
    '/outside.txt',
    '/package.json',
    '/vercel.json',
    '/lib/secret.ts',
    '/public/index.html',
    '/API/leads',
    '/api/_private',
    '/api/_private/a',
    '/api/.hidden',
    '/api/a/b/c',
    '/api%2Fleads',
    '/../outside.txt',
    '/%2e%2e/outside.txt',
    '/%2e%2e%2foutside.txt',
    '/docs/..%2f..%2foutside.txt',
    '/docs/..%5c..%5coutside.txt',
    '/docs/./index.html',
    '/plain%00',
  ])('%s', async target => {
    expect(await answerTo(target)).toBe('NOT_FOUND')
  })

  it.each(['/%', '/api/leads/%E0%A4%A', '*', 'http://elsewhere/'])('%s is not a path', async target => {
    expect(await answerTo(target)).toBe('BAD_REQUEST')
  })
})

it('takes a dynamic directory before a dynamic file beside a static one, as Vercel does', async () => {
  const { root } = makeTestProject({ 'api/[org]/[id]/index.ts': '', 'api/items/[id].ts': '' })
  const resolution = await resolveRequest(await readRouteTable(root), '/api/items/5')
  expect(resolution).toMatchObject({
    entry: { file: 'api/[org]/[id]/index.ts' },
    url: '/api/items/5?org=items&id=5',
  })
})

it('redirects as vercel.json says, and repeated slashes to the plain path', async () => {
  expect(await answerTo('/old/5')).toBe('308 /new/5')
  expect(await answerTo('//evil.example/api?x')).toBe('308 /evil.example/api?x')
  for (const target of ['//\\evil.example/', '///\\//evil.example/'])
    expect(await answerTo(target)).toBe('308 /evil.example/')
})

it('adds the headers of every rule that fits, on a 404 too', async () => {
  expect((await resolveRequest(table, '/api/leads/5')).headers).toEqual({
    'x-everywhere': '1',
    'x-api': 'leads/5',
  })
  expect((await resolveRequest(table, '/nothing')).headers).toEqual({ 'x-everywhere': '1' })
})

it('answers what is not there with the 404.html of the project, outside api/', async () => {
  const { root } = makeTestProject({ 'api/a.ts': '', 'public/404.html': '' })
  const own = await readRouteTable(root)
  expect(await resolveRequest(own, '/nothing')).toMatchObject({ kind: 'file', status: 404 })
  expect(await resolveRequest(own, '/api/nothing')).toMatchObject({ kind: 'platform' })
})

it('serves clean URLs and moves trailing slashes away where vercel.json asks for it', async () => {
  const { root } = makeTestProject({
    'api/a.ts': '',
    'public/about.html': '',
    'vercel.json': '{ "cleanUrls": true, "trailingSlash": false }',
  })
  const own = await readRouteTable(root)
  expect(await resolveRequest(own, '/about')).toMatchObject({ kind: 'file', status: 200 })
  expect(await resolveRequest(own, '/about.html')).toMatchObject({ kind: 'redirect', location: '/about' })
  expect(await resolveRequest(own, '/api/a/')).toMatchObject({ kind: 'redirect', location: '/api/a' })
})
