import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { run as apiKey } from '../../scripts/api-key.js'
import { run as backup } from '../../scripts/backup.js'
import { run as createAdmin } from '../../scripts/create-admin.js'
import { serveDirectory } from '../../scripts/embedded-db/serve-directory.js'
import { run as migrate } from '../../scripts/migrate-file-to-mongo.js'
import { run as phoneNumbers } from '../../scripts/phone-numbers.js'
import { run as restore } from '../../scripts/restore.js'
import { cellsOf } from '../../scripts/support/csv.js'
import { testDatabase } from '../support/database.js'
import { makeTestProject } from './support/project.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = 120_000

const SCRIPTS = [
  'create-admin',
  'api-key',
  'phone-numbers',
  'init-db',
  'maintain',
  'migrate-file-to-mongo',
  'backup',
  'restore',
] as const

/** Where a script that asked nothing of it would never notice; one that did would say that it cannot be reached. */
const REMOTE = { MONGO_URI: 'mongodb+srv://operator:hidden@cluster.example.invalid/prod?retryWrites=true' }
const CREATE_KEY = ['create', '--scopes', 'leads:read']
const NUMBERS = join(import.meta.dirname, 'fixtures', 'numbers.csv')

function makeDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'leadline-scripts-')))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

it.each(SCRIPTS)(
  '%s explains itself, and asks nothing of a database for that',
  { timeout: PATIENCE },
  async name => {
    const { code, output, told } = await runScript(name, ['--help'], { env: REMOTE })

    expect({ code, told }).toEqual({ code: 0, told: '' })
    expect(output).toMatch(
      new RegExp(`^npm run ${name.replace('migrate-', 'migrate:')} -- .*\\[flags\\]\n\n.+\n\n`),
    )
    for (const flag of ['--yes DATABASE', '--help']) expect(output).toContain(`\n  ${flag}`)
  },
)

it.each([
  ['create-admin', ['--admin'], "Unknown option '--admin'"],
  ['api-key', ['create', '--scope', 'leads:read'], "Unknown option '--scope'"],
  ['phone-numbers', ['import', 'missing.csv'], 'missing.csv cannot be read: ENOENT'],
  ['maintain', ['--minutes', 'ten'], '--minutes: must be a number'],
] as const)('%s %j is wrong usage: one line, and 2', { timeout: PATIENCE }, async (name, args, message) => {
  const { code, output, told } = await runScript(name, args, { env: REMOTE })

  expect({ code, output }).toEqual({ code: 2, output: '' })
  expect(told).toMatch(/^npm run [a-z-]+ --: .+\n$/)
  expect(told).toContain(message)
})

it.each([
  [createAdmin, [], {}, '--email is required'],
  [createAdmin, [], { email: 'x' }, '--email: must be an e-mail address'],
  [apiKey, ['create'], {}, '--scopes is required'],
  [apiKey, ['create'], { scopes: ',' }, '--scopes: Too small'],
  [apiKey, ['create'], { scopes: 'leads:read,root' }, '--scopes: Invalid option'],
  [apiKey, ['create'], { scopes: 'leads:read', expires: '2030-01-01' }, '--expires: Invalid ISO datetime'],
  [apiKey, ['create', 'crm'], { scopes: 'leads:read' }, 'say create, list or revoke ID'],
  [apiKey, ['list', 'crm'], {}, 'say create, list or revoke ID'],
  [apiKey, ['revoke'], {}, 'say revoke ID'],
  [apiKey, ['mint'], {}, 'say create, list or revoke ID'],
  [apiKey, [], {}, 'say create, list or revoke ID'],
  [migrate, [], {}, '--from is required'],
  [migrate, [], { from: '/nowhere' }, '/nowhere has none of widget-config.json'],
  [migrate, [], { rollback: 'last' }, '--rollback: must be the number of a migration'],
  [migrate, [], { rollback: '1', from: '/old' }, 'say --from or --rollback'],
  [phoneNumbers, ['import'], {}, 'say import FILE'],
  [phoneNumbers, ['export', 'numbers'], {}, 'say import FILE'],
  [phoneNumbers, ['import', 'numbers', 'more'], {}, 'say import FILE'],
  [backup, [], {}, 'say --out DIR or --to URI'],
  [backup, [], { out: 'backup', to: REMOTE.MONGO_URI }, 'say --out DIR or --to URI'],
  [backup, [], { out: 'backup', with: 'tar' }, '--with: Invalid option'],
  [backup, [], { to: 'mongodb://operator:hidden@' }, '--to: is not a connection string'],
  [restore, [], {}, '--from is required'],
  [restore, [], { from: 'backup', to: 'cluster' }, '--to: is not a connection string'],
] as const)(
  'what is typed is checked before anything is opened: %#',
  async (run, positionals, flags, message) => {
    const texts: Record<string, string> = flags
    const typed = { positionals: [...positionals], has: () => true, text: (flag: string) => texts[flag] }

    await expect(run(typed)).rejects.toThrow(
      expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) }),
    )
  },
)

it('runs by whatever path it is reached', { timeout: PATIENCE }, async () => {
  const link = join(makeDirectory(), 'checkout')
  symlinkSync(join(import.meta.dirname, '..', '..'), link)

  const { output } = await runScript('api-key', ['--help'], { source: join(link, 'scripts', 'api-key.ts') })

  expect(output).toMatch(/^npm run api-key -- /)
})

describe('a database that is not on this machine', () => {
  it.each([
    ['create-admin', ['--email', 'a@example.com', '--password-stdin', '--apply']],
    ['init-db', ['--apply', '--drop-undeclared']],
    ['maintain', ['--apply']],
    ['api-key', [...CREATE_KEY, '--apply']],
    ['phone-numbers', ['import', NUMBERS, '--apply']],
    ['migrate-file-to-mongo', ['--from', join(import.meta.dirname, 'fixtures', 'legacy'), '--apply']],
    ['backup', ['--to', REMOTE.MONGO_URI, '--apply']],
  ] as const)(
    'is not written by %s without its name, nor even asked',
    { timeout: PATIENCE },
    async (name, args) => {
      const { code, output, told } = await runScript(name, args, { env: REMOTE, input: 'correct horse' })

      expect({ code, output }).toEqual({ code: 2, output: '' })
      expect(told).toContain('Writing to prod on cluster.example.invalid (SRV).')
      expect(told).toContain('confirm it with --yes prod')
      expect(told).not.toMatch(/hidden|operator|cannot be reached/)
    },
  )

  it('is not written under another name', { timeout: PATIENCE }, async () => {
    const { code, told } = await runScript('api-key', [...CREATE_KEY, '--apply', '--yes', 'staging'], {
      env: REMOTE,
    })

    expect(code).toBe(2)
    expect(told).toContain('--yes says staging, but the database is prod')
  })

  it('is said where it cannot be reached, without its credentials', { timeout: PATIENCE }, async () => {
    const { code, output, told } = await runScript('api-key', [...CREATE_KEY, '--apply', '--yes', 'prod'], {
      env: REMOTE,
    })

    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(told).toMatch(
      /^npm run api-key --: prod on cluster\.example\.invalid \(SRV\) cannot be reached: .+$/m,
    )
    expect(told).not.toMatch(/hidden|operator/)
  })

  it('is any that has one host elsewhere', { timeout: PATIENCE }, async () => {
    const { code, told } = await runScript('api-key', [...CREATE_KEY, '--apply'], {
      env: { MONGO_URI: 'mongodb://127.0.0.1:1,db.example.invalid:2/prod?replicaSet=rs' },
    })

    expect(code).toBe(2)
    expect(told).toContain('Writing to prod on 127.0.0.1:1, db.example.invalid:2.')
  })
})

describe('where it works', () => {
  it('is said with the database’s name, and without credentials', { timeout: PATIENCE }, async () => {
    const { code, told } = await runScript('api-key', CREATE_KEY, {
      env: { MONGODB_URI: 'mongodb://operator:hidden@localhost:1' },
    })

    expect(code).toBe(0)
    expect(told).toContain('Dry run on leadline on localhost:1: nothing is written.')
    expect(told).not.toMatch(/hidden|operator/)
  })

  it('is what `.env` says, unless the shell says otherwise', { timeout: PATIENCE }, async () => {
    const { root: cwd } = makeTestProject({ '.env': 'MONGO_URI=mongodb://127.0.0.1:1/from-env-file' })

    const [byFile, byShell] = await Promise.all([
      runScript('api-key', CREATE_KEY, { cwd, env: {} }),
      runScript('api-key', CREATE_KEY, { cwd }),
    ])

    expect(byFile.told).toContain('Dry run on from-env-file on 127.0.0.1:1')
    expect(byShell.told).toContain(`Dry run on ${testDatabase().name} on `)
  })

  it('is the embedded database where none is given, the running one if there is one', {
    timeout: PATIENCE,
  }, async () => {
    const cwd = makeDirectory()
    const env = { DATA_DIRECTORY: 'data' }
    // Left by a server that was killed: somebody else may have the port by now.
    const stranger = await serveDirectory({ directory: makeDirectory() })
    const running = await serveDirectory({ directory: join(cwd, 'data') })

    const beside = await runScript('api-key', [...CREATE_KEY, '--apply'], { cwd, env })
    expect(beside).toMatchObject({ code: 0, output: expect.stringMatching(/^llk_/) })
    expect(beside.told).toContain(`leadline on ${new URL(running.uri).host}`)
    await running.close()
    await writeFile(join(cwd, 'data', 'db.uri'), stranger.uri)

    const alone = await runScript('api-key', ['list'], { cwd, env })
    await stranger.close()
    expect(alone.told).not.toContain(new URL(stranger.uri).host)
    expect(alone.output).toContain(beside.output.slice(0, 12))
  })
})

describe('a line of CSV', () => {
  it.each([
    ['', ['']],
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    [' a , "b" ,', ['a', 'b', '']],
    ['"a,b","say ""hi"""', ['a,b', 'say "hi"']],
    [',,', ['', '', '']],
    ['"a', undefined],
    ['"a"b', undefined],
    ['a"b"', undefined],
  ])('%j has the cells %j', (line, cells) => expect(cellsOf(line)).toEqual(cells))
})
