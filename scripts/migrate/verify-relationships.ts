import { BSON } from 'mongodb'
import { chatSessions } from '../../lib/domain/chats/chat-sessions.js'
import { eventCounts } from '../../lib/domain/events/event-counts.js'
import { headKeyOf } from '../../lib/domain/leads/lead-follow-up.js'
import { leads } from '../../lib/domain/leads/leads.js'
import { env } from '../../lib/env.js'
import { lastMigration } from './batches.js'
import { countImported } from './count-imports.js'

const CHUNK = 500

export interface VerifiedRelationships {
  sessionsOfALead: number
  sessionsWithoutLead: number
  /** Their lead is not there. */
  brokenSessions: number
  heads: number
  laterSubmissions: number
  /** Their head is not there, or is another person's. */
  brokenSubmissions: number
  /** Leads with a phone that belong to nobody. */
  unlinkedLeads: number
  counters: number
  /** They were not given what the documents add up to. */
  differingCounters: number
}

/** Checks that what was imported hangs together, by the database alone. */
export async function verifyRelationships(): Promise<VerifiedRelationships> {
  const imported = { migration: { $exists: true } }
  const [allLeads, allSessions] = await Promise.all([leads.open(), chatSessions.open()])
  const unlinked = {
    ...imported,
    phone: { $exists: true },
    headKey: { $exists: false },
    duplicateOf: { $exists: false },
  }
  const [sessionsOfALead, sessionsWithoutLead, heads, laterSubmissions, unlinkedLeads] = await Promise.all([
    allSessions.countDocuments({ ...imported, leadId: { $exists: true } }),
    allSessions.countDocuments({ ...imported, leadId: { $exists: false } }),
    allLeads.countDocuments({ ...imported, headKey: { $exists: true } }),
    allLeads.countDocuments({ ...imported, duplicateOf: { $exists: true } }),
    allLeads.countDocuments(unlinked),
  ])
  return {
    sessionsOfALead,
    sessionsWithoutLead,
    brokenSessions: await countBrokenSessions(),
    heads,
    laterSubmissions,
    brokenSubmissions: await countBrokenSubmissions(),
    unlinkedLeads,
    ...(await verifyCounters()),
  }
}

async function countBrokenSessions(): Promise<number> {
  const linked = (await chatSessions.open()).find(
    { migration: { $exists: true }, leadId: { $exists: true } },
    { projection: { leadId: 1 } },
  )
  const all = await leads.open()
  let broken = 0
  for await (const some of batchesOf(linked)) {
    const ids = [...new Set(some.map(({ leadId }) => String(leadId)))]
    const wanted = some.flatMap(({ leadId }) => leadId ?? [])
    const found = await all.find({ _id: { $in: wanted } }, { projection: { _id: 1 } }).toArray()
    broken += ids.length - found.length
  }
  return broken
}

async function countBrokenSubmissions(): Promise<number> {
  const all = await leads.open()
  const later = all.find(
    { migration: { $exists: true }, duplicateOf: { $exists: true } },
    { projection: { duplicateOf: 1, phone: 1, projectId: 1, microsite: 1 } },
  )
  let broken = 0
  for await (const some of batchesOf(later)) {
    const wanted = some.flatMap(({ duplicateOf }) => duplicateOf ?? [])
    const found = await all.find({ _id: { $in: wanted } }, { projection: { headKey: 1 } }).toArray()
    const heads = new Map(found.map(head => [head._id.toHexString(), head]))
    broken += some.filter(lead => {
      const { duplicateOf, phone } = lead
      return !phone || heads.get(String(duplicateOf))?.headKey !== headKeyOf(lead, phone)
    }).length
  }
  return broken
}

/** Of the last migration. Where events expire, there may be fewer by now than were counted. */
async function verifyCounters(): Promise<{ counters: number; differingCounters: number }> {
  const migration = await lastMigration()
  if (!migration) return { counters: 0, differingCounters: 0 }
  const expected = await countImported(migration._id)
  const stored = (await eventCounts.open()).find({ 'imports.migration': migration._id })
  const added = new Map<string, number>()
  for await (const { _id, imports = [] } of stored)
    added.set(BSON.EJSON.stringify(_id), imports.find(one => one.migration === migration._id)?.count ?? 0)
  const mayBeFewer = env().eventRetentionDays !== undefined
  const differing = expected.filter(({ _id, count }) => {
    const counted = added.get(BSON.EJSON.stringify(_id)) ?? 0
    return mayBeFewer ? counted < count : counted !== count
  })
  return { counters: expected.length, differingCounters: differing.length }
}

async function* batchesOf<T>(source: AsyncIterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const one of source) {
    batch.push(one)
    if (batch.length < CHUNK) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
