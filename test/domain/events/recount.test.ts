import { ObjectId } from 'mongodb'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { dayOf, type EventCount, eventCounts } from '../../../lib/domain/events/event-counts.js'
import { events, type WidgetEvent } from '../../../lib/domain/events/events.js'
import { recount } from '../../../lib/domain/events/recount.js'
import { recountDays, recountDueDays } from '../../../lib/domain/events/recount-days.js'
import { followUpLead, followUpPending } from '../../../lib/domain/leads/lead-follow-up.js'
import { LeadUpdate, updateLead } from '../../../lib/domain/leads/lead-updates.js'
import { type Lead, leads } from '../../../lib/domain/leads/leads.js'
import { maintain } from '../../../lib/domain/maintenance/maintenance.js'
import { emptyDatabase } from '../../support/database.js'
import { crashAfterWrites, pauseAfterWrites } from '../../support/failpoint.js'
import { storedLead } from '../../support/fixtures/leads.js'

const DAY = '2026-11-20'
const dayStart = new Date(`${DAY}T00:00:00.000Z`)

const captured = (microsite: string, time: string) => storedLead({ microsite, createdAt: new Date(time) })

const quarantined = (microsite: string, time: string) =>
  storedLead({
    microsite,
    createdAt: new Date(time),
    spam: { score: 1, reasons: ['invalid_phone'] },
  })

const shownOn = (day: string): WidgetEvent => ({
  _id: new ObjectId(),
  type: 'chat_shown',
  projectId: 'nivasa-enchante',
  microsite: 'm',
  at: new Date(day),
  day,
  receivedAt: new Date(day),
})

const idOf = (microsite: string, day = DAY): EventCount['_id'] => ({
  projectId: 'nivasa-enchante',
  microsite,
  type: 'leadsCaptured',
  day,
})

const counter = (microsite: string, count: number, day = DAY): EventCount => ({
  _id: idOf(microsite, day),
  count,
})

async function countsByMicrosite(day = DAY) {
  const stored = await (await eventCounts.open()).find({ '_id.day': day }).toArray()
  return Object.fromEntries(stored.map(({ _id, count }) => [_id.microsite, count]))
}

beforeEach(emptyDatabase)

describe('recount', () => {
  it('mends every difference of its day, reports each, and finds none the second time', async () => {
    await (await leads.open()).insertMany([
      captured('never-counted', `${DAY}T00:00:00.000Z`),
      captured('never-counted', `${DAY}T23:59:59.999Z`),
      quarantined('never-counted', `${DAY}T12:00:00.000Z`),
      captured('too-few', `${DAY}T12:00:00.000Z`),
      captured('too-few', `${DAY}T12:00:00.000Z`),
      captured('right', `${DAY}T12:00:00.000Z`),
      captured('day-before', '2026-11-19T23:59:59.999Z'),
      captured('day-after', '2026-11-21T00:00:00.000Z'),
    ])
    await (await eventCounts.open()).insertMany([
      counter('too-few', 1),
      counter('right', 1),
      counter('too-many', 7),
      counter('day-before', 9, '2026-11-19'),
    ])

    const mended = await recount(dayStart)
    expect(mended.sort((a, b) => a.counter.microsite.localeCompare(b.counter.microsite))).toEqual([
      { counter: idOf('never-counted'), was: 0, is: 2 },
      { counter: idOf('too-few'), was: 1, is: 2 },
      { counter: idOf('too-many'), was: 7, is: 0 },
    ])
    const right = { 'never-counted': 2, 'too-few': 2, right: 1, 'too-many': 0 }
    expect(await countsByMicrosite()).toEqual(right)
    expect(await countsByMicrosite('2026-11-19')).toEqual({ 'day-before': 9 })

    expect(await recount(dayStart)).toEqual([])
    expect(await countsByMicrosite()).toEqual(right)
  })

  it('counts a project’s own, and no lead that is still to be counted', async () => {
    const createdAt = new Date(`${DAY}T12:00:00.000Z`)
    await (await leads.open()).insertMany([
      storedLead({ microsite: 'm', createdAt }),
      storedLead({ microsite: 'm', createdAt, projectId: 'other' }),
      storedLead({ microsite: 'm', createdAt, projectId: 'other' }),
      storedLead({ microsite: 'm', createdAt, pending: true }),
    ])
    const mended = await recount(dayStart)
    expect(mended.map(({ counter, is }) => [counter.projectId, is]).sort()).toEqual([
      ['nivasa-enchante', 1],
      ['other', 2],
    ])
  })

  it('mends once where two run at the same time', async () => {
    await (await leads.open()).insertMany([
      captured('never-counted', `${DAY}T12:00:00.000Z`),
      captured('too-few', `${DAY}T12:00:00.000Z`),
      captured('too-few', `${DAY}T13:00:00.000Z`),
    ])
    await (await eventCounts.open()).insertOne(counter('too-few', 1))

    const mended = (await Promise.all([1, 2, 3, 4].map(() => recount(dayStart)))).flat()
    expect(mended.map(({ counter }) => counter.microsite).sort()).toEqual(['never-counted', 'too-few'])
    expect(await countsByMicrosite()).toEqual({ 'never-counted': 1, 'too-few': 2 })
  })
})

describe('maintain', () => {
  const maintainedAt = async (time: string) => {
    const report = await maintain(new Date(time), failure => {
      throw failure
    })
    expect(report.ok).toBe(true)
    return report.jobs.find(({ name }) => name === 'counters')?.result
  }

  it('recounts the two days before this one, and leaves the day that is still counting', async () => {
    const days = ['2026-11-18', '2026-11-19', '2026-11-20', '2026-11-21']
    await (await leads.open()).insertMany(days.map(day => captured('m', `${day}T12:00:00.000Z`)))

    expect(await maintainedAt('2026-11-21T03:00:00.000Z')).toEqual({
      mended: [
        { counter: idOf('m', '2026-11-20'), was: 0, is: 1 },
        { counter: idOf('m', '2026-11-19'), was: 0, is: 1 },
      ],
    })
    const counted = await Promise.all(days.map(day => countsByMicrosite(day)))
    expect(counted).toEqual([{}, { m: 1 }, { m: 1 }, {}])
  })

  it('recounts every day since its last run, each twice, leads and events', async () => {
    await maintainedAt('2026-11-10T03:00:00.000Z')
    const days = Array.from({ length: 12 }, (_, i) => dayOf(new Date(Date.UTC(2026, 10, 9 + i))))
    await (await leads.open()).insertMany(days.map(day => captured('m', `${day}T12:00:00.000Z`)))
    await (await events.open()).insertMany(days.map(shownOn))

    await maintainedAt('2026-11-20T03:00:00.000Z')
    const counts = async () =>
      Promise.all(
        days.map(async day => {
          const found = (await eventCounts.open()).find({ '_id.day': day }).sort({ '_id.type': 1 })
          return (await found.toArray()).map(({ count }) => count)
        }),
      )
    expect(await counts()).toEqual([...Array(11).fill([1, 1]), []])

    await (await leads.open()).insertMany(days.map(day => captured('m', `${day}T13:00:00.000Z`)))
    await maintainedAt('2026-11-21T03:00:00.000Z')
    expect(await counts()).toEqual([...Array(10).fill([1, 1]), [1, 2], [1, 2]])
  })

  it('takes no events for never recorded that the deployment keeps no more', async () => {
    const shown = { ...counter('m', 5, '2026-11-20'), _id: { ...idOf('m'), type: 'chatsShown' as const } }
    await (await eventCounts.open()).insertOne(shown)
    await (await leads.open()).insertOne(captured('m', '2026-11-20T12:00:00.000Z'))
    await (await recountDays.open()).insertOne({ _id: '2026-11-19', whole: true })
    vi.stubEnv('EVENT_RETENTION_DAYS', '7')
    vi.resetModules()
    const { recountDueDays } = await import('../../../lib/domain/events/recount-days.js')
    const { closeDatabase } = await import('../../../lib/db/client.js')
    onTestFinished(async () => {
      await closeDatabase()
      vi.unstubAllEnvs()
    })
    expect(await recountDueDays(new Date('2026-11-28T03:00:00.000Z'))).toEqual({
      mended: [{ counter: idOf('m', '2026-11-20'), was: 0, is: 1 }],
    })
  })
})

describe('a lead that is followed up on a later day', () => {
  const NOW = new Date('2026-11-29T12:00:00.000Z')
  const LATER = new Date('2026-11-30T03:00:00.000Z')

  it.each([
    ['let out of quarantine', () => quarantined('m', `${DAY}T12:00:00.000Z`), release],
    [
      'left by a crash',
      () => storedLead({ microsite: 'm', createdAt: new Date(`${DAY}T12:00:00.000Z`), pending: true }),
      (lead: Lead) => followUpLead(lead, NOW),
    ],
  ])('and %s is counted in the end, after whichever write a crash comes', async (_, lead, followUp) => {
    for (let writes = 0; ; writes++) {
      await emptyDatabase()
      // Somebody else's day, as it was counted when its events were still kept.
      const shown = { ...counter('m', 5), _id: { ...idOf('m'), type: 'chatsShown' as const } }
      await (await eventCounts.open()).insertOne(shown)
      const left = lead()
      await (await leads.open()).insertOne(left)
      const outcome = await crashAfterWrites(writes, () => followUp(left))
      await followUpPending(LATER)
      await recountDueDays(LATER)
      const { quarantined } = (await (await leads.open()).findOne({})) ?? {}
      const expected = [...(quarantined ? [] : [{ _id: idOf('m'), count: 1 }]), shown]
      expect(await (await eventCounts.open()).find({ '_id.day': DAY }).sort({ count: 1 }).toArray()).toEqual(
        expected,
      )
      if (outcome === 'done') return
    }
  })

  function release({ _id }: Lead) {
    return updateLead({}, _id.toHexString(), LeadUpdate.parse({ spam: 'released' }), 'ravi', NOW)
  }

  it('has its day recounted until nobody may be counting it any more', async () => {
    const lead = storedLead({ microsite: 'm', createdAt: new Date(`${DAY}T12:00:00.000Z`), pending: true })
    await (await leads.open()).insertOne(lead)
    const { finish } = await pauseAfterWrites(3, () => followUpLead(lead, NOW))
    // Settled and not counted: the recount counts it, and then who settled it does.
    expect((await recountDueDays(NOW)).mended).toHaveLength(1)
    await finish()
    expect(await countsByMicrosite()).toEqual({ m: 2 })
    await recountDueDays(LATER)
    expect(await countsByMicrosite()).toEqual({ m: 1 })
    expect(await (await recountDays.open()).findOne({ _id: DAY })).toBeNull()
  })
})
