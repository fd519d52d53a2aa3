import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { developmentSecrets } from '../../../scripts/dev/secrets.js'
import { makeTestProject } from '../support/project.js'

function dataDirectory(): string {
  return join(makeTestProject({}).root, '.data')
}

it('makes them once, for their owner only, and keeps them', async () => {
  const directory = dataDirectory()
  const first = await developmentSecrets(directory, { CRON_SECRET: '' })
  const second = await developmentSecrets(directory, {})

  expect(first.values.ADMIN_TOKEN).toMatch(/^[0-9a-f]{64}$/)
  expect(first.values.CRON_SECRET).toMatch(/^[0-9a-f]{64}$/)
  expect(first.values.AUTH_SECRET).toMatch(/^[0-9a-f]{64}$/)
  expect(new Set(Object.values(first.values)).size).toBe(3)
  expect(second).toEqual(first)
  expect(JSON.parse(readFileSync(first.file, 'utf8'))).toEqual(first.values)
  expect(statSync(first.file).mode & 0o777).toBe(0o600)
})

it('leaves alone what the environment gives, and what else is in the file', async () => {
  const directory = dataDirectory()
  const { file, values } = await developmentSecrets(directory, { ADMIN_TOKEN: 'given' })
  expect(Object.keys(values)).toEqual(['CRON_SECRET', 'AUTH_SECRET'])

  writeFileSync(file, JSON.stringify({ ...values, OTHER: 'kept' }))
  await developmentSecrets(directory, {})
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ ...values, OTHER: 'kept' })
})

it('refuses a broken file, rather than replace secrets that are in use', async () => {
  const directory = dataDirectory()
  const { file } = await developmentSecrets(directory, {})
  writeFileSync(file, '{ "ADMIN_TOKEN": ')
  await expect(developmentSecrets(directory, {})).rejects.toThrow(/secrets\.json is not a JSON object/)
})
