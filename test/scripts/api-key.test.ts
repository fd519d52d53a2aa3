import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import leadsRoute from '../../api/leads/index.js'
import { createApiKey } from '../../lib/domain/accounts/api-keys.js'
import { emptyDatabase, testDatabase } from '../support/database.js'
import { call } from '../support/request.js'
import { createTestUser } from '../support/users.js'
import { runScript } from './support/run-script.js'

/** On a noisy machine a process may take seconds to start. */
const PATIENCE = { timeout: 120_000 }

const keys = () => testDatabase().db.collection('apikeys')
const readLeads = async (key: string) =>
  (await call(leadsRoute, 'GET', '/api/leads', { headers: { 'x-api-key': key } })).status

beforeEach(() => emptyDatabase())

it('makes a key, alone on standard output, that works until it is revoked', PATIENCE, async () => {
  const made = await runScript('api-key', ['create', '--scopes', 'leads:read', '--name', 'crm', '--apply'])
  const key = made.output.trimEnd()

  expect(made.code).toBe(0)
  expect(made.output).toMatch(/^llk_[A-Za-z0-9]{51}[0-9a-f]{8}\n$/)
  expect(made.told).toContain(`Made ${key.slice(0, 12)}…`)
  expect(made.told).not.toContain(key)
  expect(await readLeads(key)).toBe(200)
  const [stored] = await keys().find().toArray()
  expect(JSON.stringify(stored)).not.toContain(key.slice(12))

  const revoke = ['revoke', String(stored?._id)]
  const [listed, dry] = await Promise.all([runScript('api-key', ['list']), runScript('api-key', revoke)])
  expect(listed.output).toMatch(
    new RegExp(`^${stored?._id}\tllk_${stored?.prefix}…\tin force\tleads:read\tlast used \\S+Z\tcrm\n$`),
  )
  expect(dry).toMatchObject({ code: 0, output: '', told: expect.stringContaining('nothing is written') })
  expect(await readLeads(key)).toBe(200)

  expect((await runScript('api-key', [...revoke, '--apply'])).code).toBe(0)
  expect(await readLeads(key)).toBe(401)
  expect((await runScript('api-key', ['list'])).output).toContain('\trevoked\t')
})

it('writes nothing and prints no key in a dry run', PATIENCE, async () => {
  const { code, output, told } = await runScript('api-key', ['create', '--scopes', 'leads:read,calls:write'])

  expect({ code, output }).toEqual({ code: 0, output: '' })
  expect(told).toContain('A key for leads:read, calls:write.')
  expect(told).toMatch(/^Dry run on .*: nothing is written\. --apply writes\.$/m)
  expect(await keys().countDocuments()).toBe(0)
})

it('stores the limits that were asked for', PATIENCE, async () => {
  const { user } = await createTestUser()
  const limits = [
    '--users',
    String(user._id),
    '--microsites',
    'a.example, b',
    '--expires',
    '2030-01-01T00:00:00+05:30',
  ]

  const [made, unknown] = await Promise.all([
    runScript('api-key', ['create', '--scopes', 'calls:write', ...limits, '--apply']),
    runScript('api-key', ['revoke', '000000000000000000000000', '--apply']),
  ])

  expect(made.code).toBe(0)
  expect(await keys().find().toArray()).toMatchObject([
    {
      scopes: ['calls:write'],
      userIds: [user._id],
      microsites: ['a.example', 'b'],
      expiresAt: new Date('2029-12-31T18:30:00Z'),
    },
  ])
  expect(unknown).toMatchObject({ code: 1, told: expect.stringContaining('npm run api-key --: ') })
})

it('lists a key on one line, whatever its owner has named it', PATIENCE, async () => {
  const { user } = await createTestUser()
  const name = 'mine\n000000000000000000000000\tllk_forged…\tin force\u001b[2J'
  const { apiKey } = await createApiKey({ name, scopes: ['leads:read'] }, user._id, new Date())

  const { output } = await runScript('api-key', ['list'])

  expect(output.trimEnd().split('\n')).toHaveLength(1)
  expect(output.split('\t')).toHaveLength(6)
  expect(output).toMatch(new RegExp(`^${apiKey.id}\t.*\tmine 0{24} llk_forged… in force \\[2J\n$`))
})

it('the README keeps a key in a file without the lines that npm prints before it', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

  const kept = readme.split('\n').filter(line => /npm run .* > /.test(line))

  expect(kept.length).toBeGreaterThan(0)
  for (const line of kept) expect(line).toMatch(/npm run -s /)
})
