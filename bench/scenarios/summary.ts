import { CountedType, dayOf, EventCount, eventCounts } from '../../lib/domain/events/event-counts.js'
import { compareGrowth, type Read } from '../growth.js'
import type { Bench, Scenario } from '../harness.js'

const YEAR = 365
const DAY_MS = 24 * 60 * 60 * 1000
const FIRST_DAY = Date.UTC(2026, 0, 1)
const TYPES = CountedType.options
const BATCH = 10_000

/** The site that is asked about has a year of counters, however many others there are. */
const SITE = siteAt(0)

function reads(): Read[] {
  return [30, YEAR].flatMap(days =>
    [{}, { interval: 'day' }].map(interval => ({
      title: `GET /api/events: ${days} days of a microsite${'interval' in interval ? ', day by day' : ''}`,
      pathOf: () => `/api/events?${new URLSearchParams({ microsite: SITE, ...span(days), ...interval })}`,
    })),
  )
}

function span(days: number): { from: string; to: string } {
  return { from: dayAt(0), to: dayAt(days - 1) }
}

function dayAt(day: number): string {
  return dayOf(new Date(FIRST_DAY + day * DAY_MS))
}

function siteAt(place: number): string {
  return `site-${place}.example`
}

/** A counter of each type and day of one site, then of the next. */
function counterAt(position: number): EventCount {
  const site = siteAt(Math.floor(position / (YEAR * TYPES.length)))
  const type = TYPES[position % TYPES.length] ?? 'chatsShown'
  const day = dayAt(Math.floor(position / TYPES.length) % YEAR)
  return { _id: { projectId: site, microsite: site, type, day }, count: 1 + (position % 97) }
}

function filledWithCounters({ deployment, signal, say }: Bench, size: number) {
  return deployment.filled(`counters-${size}`, async ({ db }) => {
    say(`storing ${size.toLocaleString('en')} counters …`)
    EventCount.parse(counterAt(0))
    const collection = db.collection<EventCount>(eventCounts.name)
    for (let from = 0; from < size; from += BATCH) {
      signal.throwIfAborted()
      const length = Math.min(BATCH, size - from)
      await collection.insertMany(
        Array.from({ length }, (_, i) => counterAt(from + i)),
        { ordered: false },
      )
    }
    await collection.createIndexes(eventCounts.indexes.map(index => ({ ...index })))
  })
}

export default {
  summary: 'GET /api/events: a month and a year of a microsite, summed up and day by day',
  run: bench =>
    compareGrowth(bench, {
      route: 'api/events/index.ts',
      rows: 'counters',
      databaseOf: size => filledWithCounters(bench, size),
      reads: reads(),
    }),
} satisfies Scenario
