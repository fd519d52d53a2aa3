import { randomBytes, randomUUID } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { Lead, leads } from '../../lib/domain/leads.js'
import type { BenchDatabase } from '../database.js'
import type { Bench, Scenario } from '../harness.js'
import type { RatioOf, Variant } from '../pairing.js'
import type { RequestTemplate } from '../request-template.js'
import { MICROSITE, sampleConversation, sampleMetadata } from '../sample-lead.js'

const ROUTE = 'api/leads/index.ts'
const SMALL = 1_000
const LARGE = 100_000
/** How far down the late page is, as a part of all leads. */
const LATE = 0.9
const OVERHEAD_AIM = 1.15
const GROWTH_AIM = 1.2

const BATCH = 1_000
const FIRST_LEAD_AT = Date.UTC(2026, 0, 1)
const MINUTE_MS = 60_000

async function run(bench: Bench): Promise<void> {
  const databases: BenchDatabase[] = []
  const variants: Variant[] = []
  for (const count of [SMALL, LARGE]) {
    const database = bench.deployment.create(`list-${count}`)
    databases.push(database)
    bench.say(`storing ${leadCount(count)} leads …`)
    await seed(database, count, bench.signal)
    variants.push(...(await variantsOf(bench, database, count)))
  }
  await bench.compare({
    title: 'GET /api/leads, 50 of one microsite, one client',
    clients: 1,
    variants,
    ratios: [...ratiosOf('first'), ...ratiosOf('late')],
  })
  for (const { server } of variants) await server.stop()
  for (const database of databases) await bench.deployment.drop(database)
}

type Page = 'first' | 'late'

function variantName(server: 'driver' | 'handler', page: Page, count: number): string {
  return `${server}, ${page} page of ${leadCount(count)}`
}

function ratiosOf(page: Page): RatioOf[] {
  const name = (server: 'driver' | 'handler', count: number) => variantName(server, page, count)
  const overhead = (count: number): RatioOf => ({
    label: `${page} page of ${leadCount(count)}: handler / driver`,
    of: name('handler', count),
    to: name('driver', count),
    aim: OVERHEAD_AIM,
  })
  const growth = (server: 'driver' | 'handler'): RatioOf => ({
    label: `${page} page, ${server}: ${leadCount(LARGE)} / ${leadCount(SMALL)}`,
    of: name(server, LARGE),
    to: name(server, SMALL),
  })
  return [overhead(SMALL), overhead(LARGE), growth('driver'), { ...growth('handler'), aim: GROWTH_AIM }]
}

function leadCount(count: number): string {
  return count.toLocaleString('en')
}

async function variantsOf(bench: Bench, database: BenchDatabase, count: number): Promise<Variant[]> {
  const handler = await bench.startHandler(ROUTE, database)
  const cursor = await cursorAt(handler.port, bench.authorization, count, Math.floor(count * LATE))
  const first = pageTemplate(bench.authorization)
  const late = pageTemplate(bench.authorization, cursor)
  const recorded = [await bench.record(ROUTE, database, first), await bench.record(ROUTE, database, late)]
  for (const { description } of recorded) bench.say(`a page: ${description}`)
  const driver = await bench.startDriver(database, recorded)
  return [
    { name: variantName('driver', 'first', count), server: driver, template: first },
    { name: variantName('handler', 'first', count), server: handler, template: first },
    { name: variantName('driver', 'late', count), server: driver, template: late },
    { name: variantName('handler', 'late', count), server: handler, template: late },
  ]
}

function pageTemplate(authorization: string, cursor?: string): RequestTemplate {
  const query = new URLSearchParams({ microsite: MICROSITE, limit: '50', ...(cursor && { cursor }) })
  return { method: 'GET', path: `/api/leads?${query}`, headers: { authorization }, expects: 200 }
}

/** The cursor behind so many leads: where the list of one lead, up to the time of the last of them, ends. */
async function cursorAt(
  port: number,
  authorization: string,
  count: number,
  position: number,
): Promise<string> {
  const endDate = createdAt(count - position).toISOString()
  const query = new URLSearchParams({ microsite: MICROSITE, limit: '1', endDate })
  const response = await fetch(`http://127.0.0.1:${port}/api/leads?${query}`, { headers: { authorization } })
  const { nextCursor } = (await response.json()) as { nextCursor?: string }
  if (!nextCursor) throw new Error(`no cursor behind lead ${position}: ${response.status}`)
  return nextCursor
}

async function seed({ db }: BenchDatabase, count: number, signal: AbortSignal): Promise<void> {
  const collection = db.collection<Lead>(leads.name)
  for (let from = 0; from < count; from += BATCH) {
    signal.throwIfAborted()
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => leadAt(from + i))
    await collection.insertMany(batch, { ordered: false })
  }
  await collection.createIndexes(leads.indexes.map(index => ({ ...index })))
}

function createdAt(position: number): Date {
  return new Date(FIRST_LEAD_AT + position * MINUTE_MS)
}

function leadAt(position: number): Lead {
  return Lead.parse({
    _id: new ObjectId(randomBytes(12)),
    phone: `+91${9_000_000_000 + position}`,
    name: sampleMetadata.name,
    bhkType: '1 BHK',
    bhk: 1,
    microsite: MICROSITE,
    projectId: MICROSITE,
    leadSource: 'ChatWidget',
    status: 'new',
    metadata: sampleMetadata,
    conversation: sampleConversation(randomUUID),
    createdAt: createdAt(position),
    updatedAt: createdAt(position),
  })
}

export default {
  summary: `GET /api/leads: a first and a late page of ${leadCount(SMALL)} and of ${leadCount(LARGE)} leads`,
  run,
} satisfies Scenario
