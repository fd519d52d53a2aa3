import { afterAll, expect, it } from 'vitest'
import { users } from '../../lib/domain/accounts/users.js'
import { checkDatabase } from '../../scripts/doctor/database.js'
import { describeTarget } from '../../scripts/support/target.js'
import { testDatabase } from '../support/database.js'

// The next file of this worker makes its indexes anew, and cannot beside others of the same names.
afterAll(async () => {
  await testDatabase().db.dropDatabase()
})

it('advises commands that write', async () => {
  const { db, uri } = testDatabase()
  await db.dropDatabase()
  const [declared] = users.indexes
  if (!declared) throw new Error('the collection of users has no index')
  const { name, key, unique, ...rest } = declared
  await db.collection('users').createIndexes([
    { name, key, ...rest, ...(!unique && { unique: true }) },
    { name: 'by-hand', key: { hand: 1 } },
  ])

  const checks = await checkDatabase(describeTarget(uri))

  const advice = checks.filter(check => check.name === 'indexes').map(check => check.advice)
  expect(advice).toEqual([
    'npm run init-db -- --rebuild --apply',
    'npm run init-db -- --apply',
    'npm run init-db -- --drop-undeclared --apply',
  ])
})
