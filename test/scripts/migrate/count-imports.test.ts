import { beforeEach, expect, it } from 'vitest'
import { addToCounters } from '../../../scripts/migrate/count-imports.js'
import { eventOfRow } from '../../../scripts/migrate/event-rows.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'

beforeEach(() => emptyDatabase())

it('a migration adds to a counter once, however often it is gone on with', async () => {
  const { db } = testDatabase()
  const rows = [1, 2, 3].map(hour => ({
    type: 'chat_shown',
    projectId: hour === 3 ? 'new.example' : 'old.example',
    createdAt: `2025-09-01T0${hour}:00:00.000Z`,
  }))
  await db.collection('events').insertMany(rows.map(row => ({ ...eventOfRow(row, undefined), migration: 1 })))
  const counter = (site: string) => ({
    _id: { projectId: site, microsite: site, type: 'chatsShown', day: '2025-09-01' } as never,
  })
  await db.collection('eventcounts').insertOne({ ...counter('old.example'), count: 5 })

  for (let time = 0; time < 3; time++) await addToCounters(1)

  const counts = db.collection('eventcounts')
  expect(await counts.findOne(counter('old.example'))).toMatchObject({ count: 7 })
  expect(await counts.findOne(counter('new.example'))).toMatchObject({ count: 1, migration: 1 })
})
