import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, inject } from 'vitest'
import { workerDatabase } from './database-name.js'
import { cleanEnvironment } from './worker-environment.js'

cleanEnvironment(process.env)

const database = workerDatabase(inject('databaseServer'))
// Where mails go that no test asked for; made by the first of them.
const dataDirectory = join(tmpdir(), database.name)

Object.assign(process.env, {
  NODE_ENV: 'test',
  MONGO_URI: database.uri,
  ADMIN_TOKEN: 'test-admin-token-'.padEnd(64, '0'),
  AUTH_SECRET: 'test-auth-secret-'.padEnd(64, '0'),
  // The cheapest there is: what a hash costs is counted, not waited for.
  BCRYPT_COST: '4',
  DATA_DIRECTORY: dataDirectory,
  RATE_LIMIT_SCALE: '1000',
  LOG_LEVEL: 'silent',
})

function removeData(): void {
  rmSync(dataDirectory, { recursive: true, force: true })
}

afterAll(removeData)
// A mail may still be on its way when the last test has ended.
process.once('exit', removeData)
