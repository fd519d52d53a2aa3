import { expect, it } from 'vitest'
import { readRouteTable } from '../../../scripts/dev/route-table.js'
import { readVercelConfig } from '../../../scripts/dev/vercel-config.js'
import { makeTestProject } from '../support/project.js'

it.each([
  ['a setting nobody serves here', { images: { sizes: [] } }, /"images" is not served/],
  ['routes in the old form', { routes: [{ src: '/a', dest: '/b' }] }, /"routes" is not served/],
  [
    'a condition',
    { rewrites: [{ source: '/a', destination: '/b', has: [{ type: 'host', value: 'x' }] }] },
    /"has" in rewrites/,
  ],
  [
    'a rewrite to another host',
    { rewrites: [{ source: '/a', destination: 'https://example.com' }] },
    /only a path/,
  ],
])('refuses %s, rather than ignore it', (_, config, message) => {
  const { root } = makeTestProject({ 'vercel.json': JSON.stringify(config) })
  expect(() => readVercelConfig(root)).toThrow(message)
})

it('says where the file is not JSON', () => {
  const { root } = makeTestProject({ 'vercel.json': '{ "headers": ' })
  expect(() => readVercelConfig(root)).toThrow(/^vercel\.json: .*JSON/)
})

it.each([
  [
    'a pattern that is no pattern',
    { headers: [{ source: '/(.*', headers: [{ key: 'a', value: 'b' }] }] },
    /source/,
  ],
  [
    'limits for functions that are not there',
    { functions: { 'api/none.ts': { maxDuration: 5 } } },
    /api\/none\.ts/,
  ],
])('refuses what Vercel refuses: %s', async (_, config, message) => {
  const { root } = makeTestProject({ 'api/a.ts': '', 'vercel.json': JSON.stringify(config) })
  await expect(readRouteTable(root)).rejects.toThrow(message)
})
