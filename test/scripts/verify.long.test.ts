import { expect, it } from 'vitest'
import { verifyProject } from '../../scripts/verify/verify-project.js'
import { makeTestProject } from './support/project.js'

it('builds and calls what would be deployed, and finds what would not run', async () => {
  const { root } = makeTestProject({
    'public/index.html': '',
    'lib/word.ts': "export const word = 'built'",
    'api/fine.ts':
      "import { word } from '../lib/word.js'\nexport default { fetch: () => new Response(word) }",
    'api/unresolved.ts':
      "import { word } from '../lib/word'\nexport default { fetch: () => new Response(word) }",
    'api/crashing.ts': "throw new Error('at import')\nexport default { fetch: () => new Response() }",
    'vercel.single.json': '{ "builds": [{ "src": "whole/function.ts", "use": "@vercel/node" }] }',
    'whole/function.ts': "import fine from '../api/fine.js'\nexport default fine",
  })
  const { functions, problems } = await verifyProject(root)
  expect(functions).toMatchObject([
    { file: 'api/fine.ts', statuses: [200] },
    { file: 'whole/function.ts', statuses: [200] },
  ])
  expect(functions[0]?.bytes).toBeGreaterThan(0)
  expect(problems).toEqual([
    'api/crashing.ts is not in the single function: add it to lib/single/routes.ts',
    'api/unresolved.ts is not in the single function: add it to lib/single/routes.ts',
    expect.stringMatching(/^api\/crashing\.ts: [\s\S]*at import/),
    expect.stringMatching(/^api\/unresolved\.ts: [\s\S]*word/),
  ])
}, 120_000)
