import { describe, expect, it } from 'vitest'
import { findViolations, type Project } from './architecture-rules.js'

function check(files: Record<string, string>, declared: Partial<Omit<Project, 'files'>> = {}): string[] {
  const project = { packageJson: {}, vercelJson: {}, ...declared, files: new Map(Object.entries(files)) }
  return findViolations(project).map(({ file, rule }) => `${file}: ${rule}`)
}

function route(template: string, head = ''): string {
  return `${head}\nexport default serve('${template}', { GET })\n`
}

describe('a tree that keeps the rules', () => {
  it('has no violation', () => {
    const files = {
      'api/leads/index.ts': route('/api/leads', `import { serve } from '../../lib/http/serve.js'`),
      'api/leads/[id].ts': route('/api/leads/:id', `import { getLead } from '../../lib/domain/leads.js'`),
      'api/openapi.json.ts': route('/api/openapi.json'),
      'api/cron/maintain.ts': route('/api/cron/maintain'),
      'lib/env.ts': `import { z } from 'zod'\nexport const env = () => z.parse(process.env)`,
      'lib/errors.ts': `export class AppError extends Error {}`,
      'lib/http/serve.ts': `import { caller } from '../auth/callers.js'\nimport '../db/errors.js'`,
      'lib/db/errors.ts': `import { AppError } from '../errors.js'`,
      'lib/auth/callers.ts': `import { users } from '../domain/users.js'\nimport '../auth/tokens.js'`,
      'lib/auth/tokens.ts': `import { env } from '../env.js'`,
      'lib/domain/leads.ts': `import { randomUUID } from 'node:crypto'\nexport const leads = collection({})`,
      'lib/domain/users.ts': `import { hash } from '../auth/passwords.js'`,
      'lib/domain/registry.ts': `import { leads } from './leads.js'`,
      'lib/db/collection.ts': `import type { Db } from 'mongodb'\nexport function collection() {}`,
      'scripts/dev.ts': `import { serve } from '../lib/http/serve.js'\nimport './embedded-db/index.js'`,
      'scripts/embedded-db/index.ts': `import mingo from 'mingo'\nconst port = process.env.PORT`,
      'test/leads.test.ts': `import { expect } from 'vitest'\nimport '../scripts/embedded-db/index.js'`,
      'bench/run.ts': `import handler from '../api/leads/index.js'`,
      'vitest.config.ts': `import { defineConfig } from 'vitest/config'`,
    }
    const packageJson = {
      dependencies: { mongodb: '^7', zod: '^4' },
      devDependencies: { vitest: '^4', mingo: '^7' },
    }
    const vercelJson = { crons: [{ path: '/api/cron/maintain' }] }

    expect(check(files, { packageJson, vercelJson })).toEqual([])
  })
})

describe('imports run one way', () => {
  it.each([
    ['api/leads.ts', '../lib/db/client.js', 'api must not import db'],
    ['api/leads.ts', '../lib/env.js', 'api must not import env'],
    ['api/leads.ts', './events.js', 'api must not import api'],
    ['lib/http/route.ts', '../domain/leads.js', 'http must not import domain'],
    ['lib/http/route.ts', '../db/client.js', 'http must not import db'],
    ['lib/auth/callers.ts', '../http/route.js', 'auth must not import http'],
    ['lib/auth/passwords.ts', '../domain/users.js', 'credentials must not import domain'],
    ['lib/auth/tokens.ts', './callers.js', 'credentials must not import auth'],
    ['lib/rate-limit/enforce.ts', '../http/reply.js', 'rate-limit must not import http'],
    ['lib/domain/leads.ts', '../http/page.js', 'domain must not import http'],
    ['lib/domain/leads.ts', '../auth/callers.js', 'domain must not import auth'],
    ['lib/domain/leads.ts', '../rate-limit/enforce.js', 'domain must not import rate-limit'],
    ['lib/db/client.ts', '../domain/leads.js', 'db must not import domain'],
    ['lib/mail/port.ts', '../db/client.js', 'mail must not import db'],
    ['lib/ai/port.ts', '../domain/leads.js', 'ai must not import domain'],
    ['lib/env.ts', './errors.js', 'env must not import errors'],
    ['lib/errors.ts', './env.js', 'errors must not import env'],
    ['lib/db/client.ts', '../../scripts/embedded-db/index.js', 'db must not import embedded database'],
    ['api/leads.ts', '../scripts/embedded-db/index.js', 'api must not import embedded database'],
    [
      'lib/domain/leads.ts',
      '../../test/support/database.js',
      'domain must not import test/support/database.ts',
    ],
    ['scripts/backup.ts', '../lib/http/serve.js', 'scripts must not import http'],
    ['scripts/backup.ts', '../api/leads.js', 'scripts must not import api'],
    ['scripts/backup.ts', './dev.js', 'scripts must not import development server'],
    ['scripts/embedded-db/index.ts', '../../lib/db/client.js', 'embedded database must not import db'],
    ['bench/run.ts', '../test/support/database.js', 'bench must not import tests'],
  ])('%s cannot import %s', (file, specifier, rule) => {
    const text = file.startsWith('api/')
      ? route('/api/leads', `import '${specifier}'`)
      : `import '${specifier}'`

    expect(check({ [file]: text })).toEqual([expect.stringContaining(`${file}: ${rule}`)])
  })

  it.each([
    `import { client } from '../db/client.js'`,
    `import type { Client } from '../db/client.js'`,
    `export { client } from '../db/client.js'`,
    `export * from '../db/client.js'`,
    `const { client } = await import('../db/client.js')`,
    `type Client = import('../db/client.js').Client`,
    `// import nothing\nimport {\n  client,\n} from '../db/client.js'`,
  ])('sees %s', text => {
    expect(check({ 'lib/mail/port.ts': text })).toEqual([
      'lib/mail/port.ts: mail must not import db (lib/db/client.ts)',
    ])
  })

  it('does not take a comment or a string for an import', () => {
    expect(
      check({ 'lib/mail/port.ts': `// import '../db/client.js'\nconst text = "import '../db/client.js'"` }),
    ).toEqual([])
  })

  it('wants a layer for every file of lib', () => {
    expect(check({ 'lib/utils.ts': '' })).toEqual([
      'lib/utils.ts: belongs to no layer of the architecture: name one before adding it',
    ])
  })

  it.each(['./client', './client.ts', '.'])('refuses the specifier %s', specifier => {
    expect(check({ 'lib/db/collection.ts': `import '${specifier}'` })).toContain(
      `lib/db/collection.ts: imports '${specifier}': relative imports end in .js`,
    )
  })
})

describe('circles', () => {
  it('names every file of one, and each only once', () => {
    const files = {
      'lib/domain/entry.ts': `import './a.js'`,
      'lib/domain/a.ts': `import './b.js'`,
      'lib/domain/b.ts': `import './c.js'\nimport './leaf.js'`,
      'lib/domain/c.ts': `import './a.js'\nimport './leaf.js'`,
      'lib/domain/leaf.ts': '',
    }

    expect(check(files)).toEqual([
      'lib/domain/a.ts: imports run in a circle: lib/domain/a.ts, lib/domain/b.ts, lib/domain/c.ts',
    ])
  })

  it('separates two', () => {
    const files = {
      'lib/db/a.ts': `import './b.js'`,
      'lib/db/b.ts': `import './a.js'\nimport './c.js'`,
      'lib/db/c.ts': `import './d.js'`,
      'lib/db/d.ts': `import './c.js'`,
    }

    expect(check(files)).toHaveLength(2)
  })

  it('finds a file that imports itself', () => {
    expect(check({ 'lib/db/a.ts': `import './a.js'` })).toHaveLength(1)
  })

  it('does not take two ways to one file for a circle', () => {
    const files = {
      'lib/db/a.ts': `import './leaf.js'\nimport './b.js'`,
      'lib/db/b.ts': `import './leaf.js'`,
      'lib/db/leaf.ts': '',
    }

    expect(check(files)).toEqual([])
  })
})

describe('the environment', () => {
  it.each([
    'const uri = process.env.MONGO_URI',
    `const uri = process['env']['MONGO_URI']`,
    'const { env } = process',
    'const variables = process\nvariables.env',
    'const uri = globalThis.process.env.MONGO_URI',
    'const mode = import.meta.env.MODE',
    `import { env } from 'node:process'`,
    `import process from 'process'`,
  ])('is not read by %s', text => {
    expect(check({ 'lib/db/client.ts': text })).toEqual([
      'lib/db/client.ts: only lib/env.ts reads process.env',
    ])
    expect(check({ 'lib/env.ts': text })).toEqual([])
  })

  it('is not confused by other uses of process and of the name env', () => {
    expect(
      check({ 'lib/db/client.ts': 'process.on("exit", stop)\nconst uri = settings.env\nenv().mongoUri' }),
    ).toEqual([])
  })
})

describe('a route', () => {
  it.each([
    ['a bare handler', 'export default { fetch() {} }', 'a route default-exports serve(…)'],
    ['a named export', `export const handler = serve('/api/leads', {})`, 'a route default-exports serve(…)'],
    ['another path', route('/api/lead'), 'serve() is given /api/lead, but the file is served at /api/leads'],
    [
      'no path',
      'export default serve({ GET })',
      'serve() is given no path, but the file is served at /api/leads',
    ],
    ['41 lines', route('/api/leads', '\n'.repeat(39)), '41 lines: a route has at most 40'],
    [
      'the driver',
      route('/api/leads', `import { ObjectId } from 'mongodb'`),
      'a route must not import mongodb',
    ],
  ])('is refused with %s', (_, text, rule) => {
    const packageJson = { dependencies: { mongodb: '^7' } }

    expect(check({ 'api/leads.ts': text }, { packageJson })).toContain(`api/leads.ts: ${rule}`)
  })

  it('may have 40 lines', () => {
    expect(check({ 'api/leads.ts': route('/api/leads', '\n'.repeat(38)) })).toEqual([])
  })

  it('has its parameters in its template', () => {
    expect(check({ 'api/leads/[id]/notes/[noteId].ts': route('/api/leads/:leadId/notes/:noteId') })).toEqual([
      'api/leads/[id]/notes/[noteId].ts: serve() is given /api/leads/:leadId/notes/:noteId, ' +
        'but the file is served at /api/leads/:id/notes/:noteId',
    ])
  })

  it.each([
    ['api/leads.test.ts', 'tests live under test/: here Vercel would serve them'],
    ['api/helper.js', 'api/ holds routes only'],
  ])('is not %s', (file, rule) => {
    expect(check({ [file]: '' })).toEqual([`${file}: ${rule}`])
  })
})

describe('what weighs much', () => {
  it('comes along with the functions that it is for only, however far away', () => {
    const files = {
      'api/chat.ts': route('/api/chat', `import '../lib/domain/answers.js'`),
      'api/leads.ts': route('/api/leads', `import '../lib/domain/leads.js'`),
      'lib/domain/leads.ts': `import { x } from './answers.js'`,
      'lib/domain/answers.ts': `const ask = () => import('../ai/model.js')`,
      'lib/ai/model.ts': '',
    }

    expect(check(files)).toEqual(['api/leads.ts: brings ai along, which is for api/chat.ts only'])
  })
})

describe('the baseline', () => {
  it('has rules of the product, but not its database', () => {
    const files = {
      'bench/baseline/capture.ts': `import '../../lib/domain/phone.js'\nimport '../../lib/domain/search.js'`,
      'bench/baseline/list.ts': `import '../../lib/domain/leads.js'`,
      'lib/domain/phone.ts': '',
      'lib/domain/search.ts': `import type { Lead } from './leads.js'\nexport type { Lead } from './leads.js'`,
      'lib/domain/leads.ts': `import '../db/collection.js'`,
      'lib/db/collection.ts': '',
    }

    expect(check(files)).toEqual(['bench/baseline/list.ts: brings db along, which is for the product only'])
  })

  it('is nothing that the product may use', () => {
    expect(check({ 'lib/domain/leads.ts': `import '../../bench/baseline/app.js'` })).toEqual([
      'lib/domain/leads.ts: domain must not import baseline (bench/baseline/app.ts)',
    ])
  })
})

describe('names', () => {
  it('of documents are in capitals', () => {
    expect(check({ 'bench/RESULTS.md': '' })).toEqual([])
  })

  it.each([
    'lib/domain/chatSessions.ts',
    'lib/domain/Leads.ts',
    'lib/db/my_client.ts',
    'scripts/embeddedDb/index.ts',
  ])('refuses %s', file => {
    expect(check({ [file]: '' })).toEqual([
      `${file}: file and directory names are kebab-case, or [camelCase] for a path parameter`,
    ])
  })
})

describe('the registry', () => {
  const leads = `export const leads = collection<Lead>({ name: 'leads' })`

  it.each([
    ['forgets the file', ''],
    ['is missing', undefined],
  ])('is told when it %s', (_, registry) => {
    const files = {
      'lib/domain/leads.ts': leads,
      ...(registry === undefined ? {} : { 'lib/domain/registry.ts': registry }),
    }

    expect(check(files)).toEqual([
      'lib/domain/leads.ts: its collection is missing from lib/domain/registry.ts',
    ])
  })

  it('cannot list a collection that is declared outside the domain', () => {
    expect(check({ 'lib/rate-limit/enforce.ts': leads })).toEqual([
      'lib/rate-limit/enforce.ts: collections are declared in lib/domain',
    ])
  })

  it(`does not mind the driver's own collection()`, () => {
    expect(check({ 'lib/db/client.ts': `database.collection('leads')` })).toEqual([])
  })
})

describe('dependencies', () => {
  it('of the deployed code are not devDependencies', () => {
    const packageJson = { devDependencies: { zod: '^4', '@vercel/functions': '^3' } }
    const files = { 'lib/env.ts': `import { z } from 'zod/v4'\nimport '@vercel/functions/oidc'` }

    expect(check(files, { packageJson })).toEqual([
      'lib/env.ts: imports zod, which is not in dependencies',
      'lib/env.ts: imports @vercel/functions, which is not in dependencies',
    ])
  })

  it('of tests and scripts are declared', () => {
    expect(check({ 'test/leads.test.ts': `import ws from 'ws'` })).toEqual([
      'test/leads.test.ts: imports ws, which is not in dependencies or devDependencies',
    ])
  })

  it('that only tests and scripts use are not deployed', () => {
    const packageJson = { dependencies: { mingo: '^7' } }

    expect(check({ 'scripts/embedded-db/index.ts': `import 'mingo'` }, { packageJson })).toEqual([
      'package.json: mingo belongs in devDependencies: api/ and lib/ do not import it',
    ])
  })
})

describe('crons', () => {
  it.each(['/api/cron/maintain', '/api/cron/maintain?full=1'])('need a file for %s', path => {
    const vercelJson = { crons: [{ path }] }

    expect(check({}, { vercelJson })).toEqual([`vercel.json: the cron ${path} has no file`])
    expect(check({ 'api/cron/maintain/index.ts': route('/api/cron/maintain') }, { vercelJson })).toEqual([])
  })
})
