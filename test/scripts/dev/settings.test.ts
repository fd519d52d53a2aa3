import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readSettings } from '../../../scripts/dev/settings.js'
import { makeTestProject } from '../support/project.js'

const uri = 'mongodb://127.0.0.1:1/here'

it('takes the embedded database and port 3000 where nothing is said, and nothing is an empty variable too', () => {
  const { root } = makeTestProject({ '.env': 'MONGO_URI=\nPORT=\n' })
  expect(readSettings(root, {})).toMatchObject({
    mongoUri: undefined,
    port: 3000,
    dataDirectory: join(root, '.data'),
  })
})

it('reads .env, over which the shell wins', () => {
  const { root } = makeTestProject({
    '.env': `MONGODB_URI='${uri}' # a comment\nPORT=4000\nAPP_ORIGINS=https://a.example\n`,
  })
  const settings = readSettings(root, { PORT: '0', DATA_DIRECTORY: 'elsewhere' })
  expect(settings).toMatchObject({ mongoUri: uri, port: 0, dataDirectory: join(root, 'elsewhere') })
  expect(settings.variables).toMatchObject({ APP_ORIGINS: 'https://a.example', PORT: '0' })
})

it.each([
  [{ MONGO_URI: uri, MONGODB_URI: `${uri}2` }, /both set and differ/],
  [{ DATA_STORE: 'mongo' }, /MONGO_URI must be set/],
  [{ DATA_STORE: 'file', MONGODB_URI: uri }, /DATA_STORE=file/],
  [{ DATA_STORE: 'files' }, /DATA_STORE must be mongo or file/],
  [{ PORT: '99999' }, /PORT/],
  [{ PORT: 'http' }, /PORT/],
])('refuses %j', (variables, message) => {
  const { root } = makeTestProject({})
  expect(() => readSettings(root, variables)).toThrow(message)
})

it('forces the embedded database', () => {
  const { root } = makeTestProject({})
  expect(readSettings(root, { DATA_STORE: 'file' }).mongoUri).toBeUndefined()
})
