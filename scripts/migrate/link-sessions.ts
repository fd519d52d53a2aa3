import type { ObjectId } from 'mongodb'
import { type ChatSession, chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import type { KeptPair } from '../../lib/domain/free-form.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import type { Item } from './import-kind.js'
import { hasId, leadIdOf } from './lead-rows.js'

/** A chat is stored along with its lead: further apart than this, in milliseconds, they are not each other's. */
const NEAR_MS = 5 * 60 * 1000

const CHUNK = 500

/**
 * Points chats at their leads. A `leadId` is that of the old store; where there is none, its lead had no id either, and
 * is the only such one of that phone on that microsite at that time.
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
  }
  for (const { document } of unnamed) {
    const leadId = onlyLeadOf(document as ChatSession, candidates)
    if (leadId) document.leadId = leadId
  }
}

/**
 * Points chats that were imported before their leads at them: a damaged file of leads may have been mended since. May
 * be repeated.
 *
 * @throws {AppError} `unavailable` while the database is away.
 * @throws {Interrupted} between two bulks.
 */
export async function linkStoredSessions(signal: AbortSignal): Promise<void> {
  const all = await chatSessions.open()
  const unlinked = all.find(
    { migration: { $exists: true }, leadId: { $exists: false } },
    { projection: { phone: 1, microsite: 1, createdAt: 1, 'metadata.legacy': 1 } },
  )
  let items: Item[] = []
  async function link(): Promise<void> {
    signal.throwIfAborted()
    await linkSessions(items)
    const links = items.flatMap(({ document: { _id, leadId } }) =>
      leadId ? [{ updateOne: { filter: { _id }, update: { $set: { leadId } } } }] : [],
    )
    if (links.length > 0) await all.bulkWrite(links, { ordered: false })
    items = []
  }
  for await (const document of unlinked) {
    const leadId = keptOf(document.metadata, 'leadId')?.value
    items.push({ row: { leadId }, position: 0, document })
    if (items.length === CHUNK) await link()
  }
  await link()
}

/**
 * Undoes what points imported chats at the leads of a migration that did not bring them. Returns how many there were.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function unlinkSessions(migration: number): Promise<number> {
  const all = await chatSessions.open()
  const brought = (await leads.open()).find({ migration }, { projection: { _id: 1 } })
  let unlinked = 0
  let ids: ObjectId[] = []
  async function unlink(): Promise<void> {
    const { modifiedCount } = await all.updateMany(
      { leadId: { $in: ids }, migration: { $exists: true, $ne: migration } },
      { $unset: { leadId: '' } },
    )
    unlinked += modifiedCount
    ids = []
  }
  for await (const { _id } of brought) {
    ids.push(_id)
    if (ids.length === CHUNK) await unlink()
  }
  await unlink()
  return unlinked
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
  return (await found.toArray()).filter(({ metadata }) => !keptOf(metadata, 'id'))
}

/** What an import kept of a row under a name. A row may have had metadata of that name itself, which hold anything. */
function keptOf(metadata: Candidate['metadata'] | undefined, name: string): KeptPair | undefined {
  const legacy: unknown = metadata?.legacy
  return Array.isArray(legacy) ? legacy.find(pair => pair?.key === name) : undefined
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
