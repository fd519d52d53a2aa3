import type { ObjectId } from 'mongodb'
import type { ChatSession } from '../../lib/domain/chat-sessions.js'
import type { Lead } from '../../lib/domain/leads.js'
import { leads } from '../../lib/domain/leads.js'
import type { Item } from './import-kind.js'
import { hasId, leadIdOf } from './lead-rows.js'
import { withLegacy } from './legacy-values.js'

/** A chat is stored along with its lead: further apart than this, in milliseconds, they are not each other's. */
const NEAR_MS = 5 * 60 * 1000

/**
 * Points chats at their leads. A `leadId` is that of the old store; where there is none, its lead had no id either, and
 * is the only such one of that phone on that microsite at that time. A lead that is not there is remembered under
 * `metadata.legacy`.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function linkSessions(items: readonly Item[]): Promise<void> {
  const named = items.filter(({ row }) => isNamed(row.leadId))
  const unnamed = items.filter(({ row, document }) => !isNamed(row.leadId) && document.phone !== undefined)
  const [known, candidates] = await Promise.all([findLeads(named), findLeadsWithoutId(unnamed)])
  for (const { row, document } of named) {
    const leadId = leadIdOf(row.leadId)
    if (known.has(leadId.toHexString())) document.leadId = leadId
    else document.metadata = withLegacy(document.metadata, [{ key: 'leadId', value: row.leadId }])
  }
  for (const { document } of unnamed) {
    const leadId = onlyLeadOf(document as ChatSession, candidates)
    if (leadId) document.leadId = leadId
  }
}

function isNamed(leadId: unknown): boolean {
  return hasId({ id: leadId })
}

async function findLeads(items: readonly Item[]): Promise<Set<string>> {
  if (items.length === 0) return new Set()
  const ids = items.map(({ row }) => leadIdOf(row.leadId))
  const found = (await leads.open()).find({ _id: { $in: ids } }, { projection: { _id: 1 } })
  return new Set((await found.toArray()).map(({ _id }) => _id.toHexString()))
}

type Candidate = Pick<Lead, '_id' | 'phone' | 'microsite' | 'createdAt' | 'metadata'>

/** Imported leads of these phones whose rows had no id. */
async function findLeadsWithoutId(items: readonly Item[]): Promise<Candidate[]> {
  if (items.length === 0) return []
  const found = (await leads.open()).find<Candidate>(
    { phone: { $in: items.map(({ document }) => String(document.phone)) }, migration: { $exists: true } },
    { projection: { phone: 1, microsite: 1, createdAt: 1, 'metadata.legacy': 1 } },
  )
  return (await found.toArray()).filter(lead => !hadId(lead))
}

function hadId({ metadata }: Candidate): boolean {
  const { legacy } = metadata
  return Array.isArray(legacy) && legacy.some(pair => pair.key === 'id')
}

/** The lead of that very moment, if there is one; else the only one near it. */
function onlyLeadOf(session: ChatSession, candidates: readonly Candidate[]): ObjectId | undefined {
  const near = candidates.filter(
    ({ phone, microsite, createdAt }) =>
      phone === session.phone &&
      microsite === session.microsite &&
      Math.abs(createdAt.getTime() - session.createdAt.getTime()) <= NEAR_MS,
  )
  const same = near.filter(({ createdAt }) => createdAt.getTime() === session.createdAt.getTime())
  const [only, another] = same.length > 0 ? same : near
  return another ? undefined : only?._id
}
