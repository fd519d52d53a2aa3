import { describe, expect, it } from 'vitest'
import { readRouteTable } from '../../scripts/dev/route-table.js'
import type { FunctionCall } from '../../scripts/verify/call-function.js'
import { checkDeployment } from '../../scripts/verify/check-deployment.js'
import { BASE_BUDGET_BYTES, budgetOf, checkFunction } from '../../scripts/verify/check-function.js'
import { makeTestProject } from './support/project.js'

const built = {
  directory: '',
  handler: '',
  files: ['api/a.js', 'lib/b.js', 'node_modules/zod/index.d.ts'],
  bytes: 1,
}
const call: FunctionCall = { importMs: 1, loaded: [], answers: [] }

function answering(status: number, body: unknown): FunctionCall {
  return { ...call, answers: [{ path: '/api/a', method: 'GET', status, body: JSON.stringify(body) }] }
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
    expect(checkFunction(built, wrong)).toEqual([expect.stringMatching(/^answers GET \/api\/a with/)])
  })

  it('keeps within the budget, and holds nothing that is not for it', () => {
    expect(checkFunction({ ...built, bytes: BASE_BUDGET_BYTES + 1 }, call)).toHaveLength(1)
    for (const file of ['scripts/dev.js', 'test/a.js', '.env', 'lib/.env.local', 'lib/b.ts'])
      expect(checkFunction({ ...built, files: [file] }, call)).toEqual([`holds ${file}`])
  })

  it.each([
    ['node_modules/stripe/esm/stripe.esm.node.js', 'api/billing/webhook.js', 'api/leads/index.js'],
    ['node_modules/ai/dist/index.mjs', 'api/chat.js', 'api/chat-sessions/index.js'],
    ['node_modules/bcryptjs/index.js', 'api/auth/login.js', 'api/auth/me.js'],
    [
      'node_modules/nodemailer/lib/nodemailer.js',
      'api/conversations/index.js',
      'api/user/conversations/index.js',
    ],
  ])(
    'holds %s only where it has a use, has room for it there, and loads it when it is used',
    (file, at, elsewhere) => {
      const large = { ...built, files: [file], bytes: budgetOf(at) }
      const loading = { ...call, loaded: [`file:///tmp/function/${file}`] }

      expect(checkFunction({ ...large, handler: at }, call)).toEqual([])
      expect(checkFunction({ ...large, handler: 'lib/single/function.js' }, call)).toEqual([])
      expect(checkFunction({ ...large, handler: at }, loading)).toEqual([
        expect.stringMatching(/^loads .* at import/),
      ])
      expect(checkFunction({ ...large, handler: elsewhere }, call)).toEqual([
        expect.stringMatching(/over its budget/),
        expect.stringMatching(/^holds \S+, which is for/),
      ])
    },
  )

  it('holds no package that nobody has thought about, nested or not', () => {
    const files = ['node_modules/mongodb/lib/index.js', 'node_modules/mongodb/node_modules/@new/one/index.js']

    expect(checkFunction({ ...built, files }, call)).toEqual([
      expect.stringMatching(/^holds @new\/one, which/),
    ])
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
