import type { Filter } from 'mongodb'
import { database } from '../../lib/db/client.js'
import { type EventCount, eventCounts } from '../../lib/domain/events/event-counts.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'
import { type Migration, migrations } from '../../lib/domain/maintenance/migrations.js'
import { legacyFiles } from './legacy-files.js'
import { unlinkSessions } from './link-sessions.js'
import { linkSurvivors } from './link-survivors.js'

/** How many documents a migration brought, by what they are. */
export async function countBrought(migration: number): Promise<Record<string, number>> {
  const db = await database()
  const counts = legacyFiles.map(
    async ({ name, collection }) =>
      [name, await db.collection(collection.name).countDocuments({ migration })] as const,
  )
  return Object.fromEntries(await Promise.all(counts))
}

/**
 * How many documents of a migration somebody has changed since: a lead that was followed up, a configuration that was
 * edited. Undoing the migration would lose that.
 */
export async function countChanged({ _id, startedAt }: Migration): Promise<number> {
  const db = await database()
  const counts = await Promise.all(
    legacyFiles.map(({ collection }) =>
      db.collection(collection.name).countDocuments({ migration: _id, updatedAt: { $gt: startedAt } }),
    ),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * Undoes a migration: what it brought goes, what it changed is again what it was, and what was captured since stays
 * right. Every step may be repeated after a crash; that there was a migration is forgotten last.
 * Returns how many documents each step dealt with.
 *
 * @throws {AppError} `unavailable` while the database is away.
 * @throws {Interrupted} between two steps.
 */
export async function rollBack(
  { _id: migration }: Migration,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const undone: Record<string, number> = {}
  async function step(name: string, undo: () => Promise<number>): Promise<void> {
    signal.throwIfAborted()
    undone[name] = await undo()
  }
  await step('daily counters', () => takeFromCounters(migration))
  await step('leads from before', () => restoreHeads(migration))
  await step('leads captured since', () => linkSurvivors(migration))
  await step('chats from before', () => unlinkSessions(migration))
  for (const { name, collection } of legacyFiles.toReversed())
    await step(name, async () => {
      const stored = (await database()).collection(collection.name)
      return (await stored.deleteMany({ migration })).deletedCount
    })
  await (await migrations.open()).deleteOne({ _id: migration })
  return undone
}

/** Takes from every counter what the migration added to it. */
async function takeFromCounters(migration: number): Promise<number> {
  const counters = await eventCounts.open()
  let taken = 0
  // Once more where a counter moved while it was written.
  for (;;) {
    const left = await counters.find({ 'imports.migration': migration }).toArray()
    if (left.length === 0) return taken
    for (const counter of left) if (await takeFrom(counter, migration)) taken += 1
  }
}

async function takeFrom(counter: EventCount, migration: number): Promise<boolean> {
  const counters = await eventCounts.open()
  const { _id, count, imports = [] } = counter
  const rest = imports.filter(imported => imported.migration !== migration)
  const added = imports.find(imported => imported.migration === migration)?.count ?? 0
  const asRead = { _id, count, 'imports.migration': migration }
  const isOwn = counter.migration === migration
  if (isOwn && count <= added && rest.length === 0)
    return (await counters.deleteOne(asRead)).deletedCount === 1
  const { modifiedCount } = await counters.updateOne(asRead, {
    // A counter that was recounted meanwhile may say less.
    $set: { count: Math.max(0, count - added), ...(rest.length > 0 && { imports: rest }) },
    $unset: { ...(rest.length === 0 && { imports: '' }), ...(isOwn && { migration: '' }) },
  })
  return modifiedCount === 1
}

/** Leaves the heads that were there before with the submissions that they had, and those captured since. */
async function restoreHeads(migration: number): Promise<number> {
  const all = await leads.open()
  let restored = 0
  // Once more where a lead was captured while its head was written.
  for (let isComplete = false; !isComplete; ) {
    isComplete = true
    for await (const head of all.find({ 'imports.migration': migration }))
      if (await restoreHead(head, migration)) restored += 1
      else isComplete = false
  }
  return restored
}

async function restoreHead(head: Lead, migration: number): Promise<boolean> {
  const { imports = [] } = head
  const before = imports.find(imported => imported.migration === migration)
  const rest = imports.filter(imported => imported.migration !== migration)
  const { submissions, lastSeenAt } = await submissionsWithout(migration, head, before ?? {})
  const set = {
    ...(submissions !== undefined && { submissions }),
    ...(lastSeenAt && { lastSeenAt }),
    ...(rest.length > 0 && { imports: rest }),
  }
  const unset = {
    ...(submissions === undefined && { submissions: '' as const }),
    ...(!lastSeenAt && { lastSeenAt: '' as const }),
    ...(rest.length === 0 && { imports: '' as const }),
  }
  const asRead = {
    _id: head._id,
    submissions: head.submissions ?? null,
    lastSeenAt: head.lastSeenAt ?? null,
  } as Filter<Lead>
  const { matchedCount } = await (await leads.open()).updateOne(asRead, {
    ...(Object.keys(set).length > 0 && { $set: set }),
    ...(Object.keys(unset).length > 0 && { $unset: unset }),
  })
  return matchedCount === 1
}

type Submissions = { submissions?: number | undefined; lastSeenAt?: Date | undefined }

async function submissionsWithout(
  migration: number,
  { _id }: Lead,
  before: Submissions,
): Promise<Submissions> {
  const later = await (await leads.open())
    .find({ duplicateOf: _id, migration: { $ne: migration } }, { projection: { createdAt: 1 } })
    .toArray()
  if (later.length === 0) return before
  const times = [before.lastSeenAt, ...later.map(({ createdAt }) => createdAt)].map(time => Number(time ?? 0))
  return {
    submissions: Math.max(before.submissions ?? 0, later.length + 1),
    lastSeenAt: new Date(Math.max(...times)),
  }
}
