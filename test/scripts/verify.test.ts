import { describe, expect, it } from 'vitest'
import { readRouteTable } from '../../scripts/dev/route-table.js'
import type { FunctionCall } from '../../scripts/verify/call-function.js'
import { checkDeployment } from '../../scripts/verify/check-deployment.js'
import { checkFunction, SIZE_BUDGET_BYTES, sizeBudgetOf } from '../../scripts/verify/check-function.js'
import { verifyProject } from '../../scripts/verify/verify-project.js'
import { makeTestProject } from './support/project.js'

const built = {
  directory: '',
  handler: '',
  files: ['api/a.js', 'lib/b.js', 'node_modules/p/index.d.ts'],
  bytes: 1,
}
const call: FunctionCall = {
  importMs: 1,
  answers: { OPTIONS: { status: 204, body: '' }, GET: { status: 200, body: '{}' } },
}

function answering(status: number, body: unknown): FunctionCall {
  return { ...call, answers: { ...call.answers, GET: { status, body: JSON.stringify(body) } } }
}

describe('a built function', () => {
  const envelope = { success: false, code: 'not_configured', requestId: 'r' }

  it.each([200, 404, 405, 501, 503])('may answer %d in the envelope', status => {
    expect(checkFunction(built, answering(status, envelope))).toEqual([])
  })

  it.each<[string, FunctionCall]>([
    ['a 500, in the envelope too', answering(500, { ...envelope, code: 'internal' })],
    ['an error in another shape', answering(404, { error: 'not found' })],
    ['an error that is no object', answering(404, null)],
  ])('must not answer %s', (_, wrong) => {
    expect(checkFunction(built, wrong)).toEqual([expect.stringMatching(/^answers GET with/)])
  })

  it('keeps within the budget, and holds nothing that is not for it', () => {
    expect(checkFunction({ ...built, bytes: SIZE_BUDGET_BYTES + 1 }, call)).toHaveLength(1)
    expect(sizeBudgetOf('api/chat.ts')).toBeGreaterThan(sizeBudgetOf('api/leads/index.ts'))
    for (const file of ['scripts/dev.js', 'test/a.js', '.env', 'lib/.env.local', 'lib/b.ts'])
      expect(checkFunction({ ...built, files: [file] }, call)).toEqual([`holds ${file}`])
  })
})

describe('a deployment', () => {
  const problemsOf = async (files: Record<string, string>) => {
    const { root } = makeTestProject({ 'api/cron/run.ts': '', ...files })
    return checkDeployment(root, await readRouteTable(root))
  }
  const cron = (path: string) => JSON.stringify({ crons: [{ path, schedule: '0 3 * * *' }] })

  it('is fine with a page and crons that have functions', async () => {
    expect(await problemsOf({ 'public/index.html': '', 'vercel.json': cron('/api/cron/run') })).toEqual([])
  })

  it('must not serve its sources', async () => {
    expect(await problemsOf({})).toEqual([expect.stringContaining('public/ has no file')])
    const copied = { 'public/index.html': '', 'public/lib/env.ts': '', 'public/.env': '' }
    expect(await problemsOf(copied)).toEqual([
      'public/.env would be served: it looks like a source',
      'public/lib/env.ts would be served: it looks like a source',
    ])
  })

  it('must have a function for each cron', async () => {
    expect(await problemsOf({ 'public/index.html': '', 'vercel.json': cron('/api/cron/ran') })).toEqual([
      'vercel.json: the cron /api/cron/ran has no function',
    ])
  })
})

it('builds and calls what would be deployed, and finds what would not run', async () => {
  const { root } = makeTestProject({
    'public/index.html': '',
    'lib/word.ts': "export const word = 'built'",
    'api/fine.ts':
      "import { word } from '../lib/word.js'\nexport default { fetch: () => new Response(word) }",
    'api/unresolved.ts':
      "import { word } from '../lib/word'\nexport default { fetch: () => new Response(word) }",
    'api/crashing.ts': "throw new Error('at import')\nexport default { fetch: () => new Response() }",
  })
  const { functions, problems } = await verifyProject(root)
  expect(functions).toMatchObject([{ file: 'api/fine.ts', statuses: [200, 200] }])
  expect(functions[0]?.bytes).toBeGreaterThan(0)
  expect(problems).toEqual([
    expect.stringMatching(/^api\/crashing\.ts: [\s\S]*at import/),
    expect.stringMatching(/^api\/unresolved\.ts: [\s\S]*word/),
  ])
}, 120_000)
