import { beforeEach, describe, expect, it } from 'vitest'
import { type EventCount, eventCounts } from '../../lib/domain/event-counts.js'
import { leads } from '../../lib/domain/leads.js'
import { maintain } from '../../lib/domain/maintenance.js'
import { recount } from '../../lib/domain/recount.js'
import { emptyDatabase } from '../support/database.js'
import { storedLead } from '../support/fixtures/leads.js'

const DAY = '2026-11-20'
const dayStart = new Date(`${DAY}T00:00:00.000Z`)

const captured = (microsite: string, time: string) => storedLead({ microsite, createdAt: new Date(time) })

const quarantined = (microsite: string, time: string) =>
  storedLead({
    microsite,
    createdAt: new Date(time),
    spam: { score: 1, reasons: ['invalid_phone'] },
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
  it('recounts the two days before this one, and leaves the day that is still counting', async () => {
    const days = ['2026-11-18', '2026-11-19', '2026-11-20', '2026-11-21']
    await (await leads.open()).insertMany(days.map(day => captured('m', `${day}T12:00:00.000Z`)))

    const report = await maintain(new Date('2026-11-21T03:00:00.000Z'), failure => {
      throw failure
    })
    expect(report.ok).toBe(true)
    expect(report.jobs.find(({ name }) => name === 'counters')?.result).toEqual({
      mended: [
        { counter: idOf('m', '2026-11-20'), was: 0, is: 1 },
        { counter: idOf('m', '2026-11-19'), was: 0, is: 1 },
      ],
    })
    const counted = await Promise.all(days.map(day => countsByMicrosite(day)))
    expect(counted).toEqual([{}, { m: 1 }, { m: 1 }, {}])
  })
})
