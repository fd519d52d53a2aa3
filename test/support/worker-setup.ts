import { inject } from 'vitest'
import { workerDatabase } from './database-name.js'
import { cleanEnvironment } from './worker-environment.js'

cleanEnvironment(process.env)

Object.assign(process.env, {
  NODE_ENV: 'test',
  MONGO_URI: workerDatabase(inject('databaseServer')).uri,
  ADMIN_TOKEN: 'test-admin-token-'.padEnd(64, '0'),
  RATE_LIMIT_SCALE: '1000',
  LOG_LEVEL: 'silent',
})
