import { randomBytes, randomUUID } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { searchFieldsOf } from '../lib/domain/leads/lead-search.js'
import { Lead, leads } from '../lib/domain/leads/leads.js'
import type { BenchDatabase } from './database.js'
import type { Bench } from './harness.js'
import { MICROSITE, sampleConversation, sampleMetadata } from './sample-lead.js'

/** As many leads of any number have the rare name, campaign, status and type: what finds them finds as many. */
export const RARE_LEADS = 20
export const RARE = { name: 'Zoé Quixote', campaign: 'monsoon', status: 'closed', bhkType: '4 BHK' } as const
export const FREQUENT = { name: 'Asha Rao', campaign: 'diwali', status: 'new', bhkType: '1 BHK' } as const

const BATCH = 1_000
const FIRST_LEAD_AT = Date.UTC(2026, 0, 1)
const MINUTE_MS = 60_000
/** Without a divisor in common with a billion: phones that follow each other differ in most of their digits. */
const STRIDE = 387_420_489

/** When a lead was captured: one each minute. */
export function createdAt(position: number): Date {
  return new Date(FIRST_LEAD_AT + position * MINUTE_MS)
}

/** The number of a lead's phone, in E.164. Every lead has another one. */
export function phoneAt(position: number): string {
  return `+919${String((position * STRIDE) % 1_000_000_000).padStart(9, '0')}`
}

/** A database with so many leads, as capture and what follows it leave them. */
export function filledWithLeads(bench: Bench, count: number): Promise<BenchDatabase> {
  return filledWith(bench, `leads-${count}`, count, position => leadAt(position, count))
}

/**
 * The same for who does not search. The embedded database holds everything in memory, where a million leads have no
 * room for their 49 million search keys.
 */
export function filledWithListedLeads(bench: Bench, count: number): Promise<BenchDatabase> {
  if (!bench.deployment.embedded) return filledWithLeads(bench, count)
  return filledWith(bench, `listed-leads-${count}`, count, position => {
    const { searchKeys, ...lead } = leadAt(position, count)
    return lead
  })
}

function filledWith(
  { deployment, signal, say }: Bench,
  purpose: string,
  count: number,
  leadOf: (position: number) => Lead,
): Promise<BenchDatabase> {
  return deployment.filled(purpose, database => {
    say(`storing ${count.toLocaleString('en')} leads …`)
    return storeLeads(database, count, leadOf, deployment.embedded, signal)
  })
}

async function storeLeads(
  { db }: BenchDatabase,
  count: number,
  leadOf: (position: number) => Lead,
  embedded: boolean,
  signal: AbortSignal,
): Promise<void> {
  const collection = db.collection<Lead>(leads.name)
  const createIndexes = () => collection.createIndexes(leads.indexes.map(index => ({ ...index })))
  // While it makes an index the embedded database answers nobody, and over 100,000 leads for too long.
  if (embedded) await createIndexes()
  Lead.parse(leadOf(0))
  for (let from = 0; from < count; from += BATCH) {
    signal.throwIfAborted()
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => leadOf(from + i))
    await collection.insertMany(batch, { ordered: false })
  }
  if (!embedded) await createIndexes()
}

function leadAt(position: number, count: number): Lead {
  const every = Math.ceil(count / RARE_LEADS)
  const { name, campaign, status, bhkType } = position % every === every - 1 ? RARE : FREQUENT
  const phone = phoneAt(position)
  const visitor = { ...sampleMetadata.visitor, utm: { source: 'google', medium: 'cpc', campaign } }
  const metadata = { ...sampleMetadata, name, visitor }
  const at = createdAt(position)
  return {
    _id: new ObjectId(randomBytes(12)),
    phone,
    name,
    bhkType,
    bhk: Number(bhkType[0]),
    microsite: MICROSITE,
    projectId: MICROSITE,
    leadSource: 'ChatWidget',
    status,
    metadata,
    conversation: sampleConversation(randomUUID),
    quarantined: false,
    headKey: randomBytes(32).toString('base64url'),
    submissions: 1,
    lastSeenAt: at,
    ...searchFieldsOf({ phone, name, microsite: MICROSITE, metadata }),
    createdAt: at,
    updatedAt: at,
  }
}
