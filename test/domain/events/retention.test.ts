import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { allCollections } from '../../../lib/domain/registry.js'
import { emptyDatabase, testDatabase } from '../../support/database.js'

const DAY_MS = 24 * 60 * 60 * 1000
const NOW = new Date('2026-11-21T03:00:00.000Z')

beforeEach(() => emptyDatabase())

/** What is kept until somebody deletes it: the business itself, or documents whose number that bounds. */
const KEPT = [
  'apikeys',
  'chatsessions',
  'conversations',
  'conversationturns',
  'erasures',
  'eventcounts',
  'leads',
  'maintenance',
  'migrations',
  'phonenumbers',
  'recountdays',
  'usageperiods',
  'userprofiles',
  'users',
  'widgetconfigs',
]

it('every other collection has a TTL index, on a time of each document', () => {
  const unbounded = allCollections.filter(
    ({ indexes }) =>
      !indexes.some(({ key, expireAfterSeconds }) => key.expiresAt && expireAfterSeconds === 0),
  )

  expect(unbounded.map(({ name }) => name).sort()).toEqual(KEPT)
})

describe('events', () => {
  async function deleteOldEvents(days: string | undefined, shouldStop?: () => boolean) {
    vi.stubEnv('EVENT_RETENTION_DAYS', days)
    vi.resetModules()
    const { deleteOldEvents } = await import('../../../lib/domain/events/event-retention.js')
    const { closeDatabase } = await import('../../../lib/db/client.js')
    try {
      return await deleteOldEvents(NOW, shouldStop)
    } finally {
      await closeDatabase()
    }
  }

  const stored = () => testDatabase().db.collection('events')

  beforeEach(async () => {
    const ages = [0, 9, 10, 11, 12, 12, 400]
    const documents = ages.map(age => {
      const at = new Date(NOW.getTime() - age * DAY_MS)
      const day = at.toISOString().slice(0, 10)
      return {
        _id: new ObjectId(),
        type: 'chat_shown',
        projectId: 'p',
        microsite: 'm',
        at,
        receivedAt: at,
        day,
      }
    })
    await stored().insertMany(documents)
  })

  it('of days before the retention are deleted where they were stored before it was set', async () => {
    expect(await deleteOldEvents('10')).toEqual({ days: 3, events: 4 })
    expect((await stored().find().sort({ day: -1 }).toArray()).map(({ day }) => day)).toEqual([
      '2026-11-21',
      '2026-11-12',
      '2026-11-11',
    ])
    expect(await deleteOldEvents('10')).toEqual({ days: 0, events: 0 })
  })

  it('that have an end of their own, as imported ones do, are left to it', async () => {
    await stored().updateOne({ day: '2026-11-09' }, { $set: { expiresAt: new Date(NOW.getTime() + DAY_MS) } })

    expect(await deleteOldEvents('10')).toEqual({ days: 3, events: 3 })
    expect(await stored().countDocuments({ day: '2026-11-09' })).toBe(1)
  })

  it('are kept where none is set', async () => {
    expect(await deleteOldEvents(undefined)).toEqual({ days: 0, events: 0 })
    expect(await stored().countDocuments()).toBe(7)
  })

  it('are deleted a day at a time, the oldest first', async () => {
    let asked = 0

    expect(await deleteOldEvents('10', () => ++asked > 2)).toEqual({ days: 2, events: 3 })
    expect(await stored().countDocuments({ day: '2026-11-10' })).toBe(1)
  })
})
