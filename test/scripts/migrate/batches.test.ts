import { beforeEach, expect, it } from 'vitest'
import { beginMigration, finishMigration, lastMigration } from '../../../scripts/migrate/batches.js'
import { emptyDatabase } from '../../support/database.js'

const AT = new Date()

beforeEach(() => emptyDatabase())

it('begins no migration before the last one is done', async () => {
  const first = await beginMigration('/old', AT)
  await expect(beginMigration('/old', AT)).rejects.toThrow('another migration has just begun')
  await finishMigration(first, {}, AT)
  await beginMigration('/old', AT)

  expect(await lastMigration()).toMatchObject({ _id: 2, state: 'running' })
})
