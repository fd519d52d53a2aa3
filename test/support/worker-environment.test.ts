import { expect, it } from 'vitest'
import { testDatabase } from './database.js'
import { cleanEnvironment } from './worker-environment.js'

it('keeps what a process needs and what steers the run, and nothing of the product', () => {
  const kept = {
    PATH: '/bin',
    Path: 'C:\\',
    HOME: '/home',
    npm_config_cache: '/cache',
    TEST_DB: 'auto',
    SOAK: '1',
  }
  const removed = {
    MONGO_URI: 'mongodb://db.example.com/',
    MONGODB_URI: 'mongodb://db.example.com/',
    ADMIN_TOKEN: 'secret',
    CRON_SECRET: 'secret',
    STRIPE_SECRET_KEY: 'secret',
    VERCEL: '1',
    VERCEL_ENV: 'production',
    DATA_DIRECTORY: '/data',
    PORT: '3000',
  }
  const variables = { ...kept, ...removed }

  cleanEnvironment(variables)

  expect(variables).toEqual(kept)
})

it('gives a test its own database and the fixed settings', () => {
  expect(process.env).toMatchObject({
    MONGO_URI: testDatabase().uri,
    NODE_ENV: 'test',
    RATE_LIMIT_SCALE: '1000',
    LOG_LEVEL: 'silent',
    PATH: expect.any(String),
  })
  expect(process.env.ADMIN_TOKEN).toHaveLength(64)
  expect(Object.keys(process.env).filter(name => /MONGODB_URI|VERCEL|STRIPE/.test(name))).toEqual([])
})
