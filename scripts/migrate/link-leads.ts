import type { AnyBulkWriteOperation, ObjectId } from 'mongodb'
import { onlyDuplicates } from '../../lib/db/errors.js'
import { headKeyOf } from '../../lib/domain/leads/lead-follow-up.js'
import { type Lead, leads } from '../../lib/domain/leads/leads.js'

const CHUNK_PEOPLE = 500

/** How often a chunk is linked again where captures at the same moment got ahead of it. */
const ATTEMPTS = 5

type Linked = Pick<Lead, '_id' | 'phone' | 'projectId' | 'microsite' | 'createdAt'>

/** The leads of one phone on one microsite that a migration brought and that are not linked yet, oldest first. */
interface Person {
  headKey: string
  submissions: Linked[]
}

/**
 * Links the leads of a migration to the first one of their phone on their microsite, as capture does: a head that is
 * there stays it, else the oldest becomes it. Every step may be repeated.
 *
 * @throws {AppError} `unavailable` while the database is away.
 */
export async function linkLeads(migration: number, signal: AbortSignal): Promise<void> {
  // Along the index, so that what belongs together comes together.
  const unlinked = (await leads.openGuarded()).find<Linked & { phone: string }>(
    { migration, phone: { $exists: true }, headKey: { $exists: false }, duplicateOf: { $exists: false } },
    { projection: { phone: 1, projectId: 1, microsite: 1, createdAt: 1 }, sort: { phone: 1, microsite: 1 } },
  )
  const people = new Map<string, Person>()
  for await (const lead of unlinked) {
    const headKey = headKeyOf(lead, lead.phone)
    const person = people.get(headKey)
    if (person) person.submissions.push(lead)
    else {
      if (people.size === CHUNK_PEOPLE) {
        await linkPeople([...people.values()], migration)
        people.clear()
        signal.throwIfAborted()
      }
      people.set(headKey, { headKey, submissions: [lead] })
    }
  }
  await linkPeople([...people.values()], migration)
}

async function linkPeople(people: readonly Person[], migration: number): Promise<void> {
  for (const { submissions } of people)
    submissions.sort(
      (a, b) => +a.createdAt - +b.createdAt || (a._id.toHexString() < b._id.toHexString() ? -1 : 1),
    )
  for (let attempt = 1; ; attempt++) {
    try {
      return await linkOnce(people, migration)
    } catch (error) {
      if (attempt === ATTEMPTS || !onlyDuplicates(error)) throw error
    }
  }
}

async function linkOnce(people: readonly Person[], migration: number): Promise<void> {
  const all = await leads.openGuarded()
  const found = await all
    .find(
      { headKey: { $in: people.map(({ headKey }) => headKey) } },
      { projection: { headKey: 1, migration: 1, submissions: 1, lastSeenAt: 1, imports: 1 } },
    )
    .toArray()
  const heads = new Map(found.map(head => [head.headKey, head]))
  const links: AnyBulkWriteOperation<Lead>[] = []
  const newHeads: AnyBulkWriteOperation<Lead>[] = []
  for (const { headKey, submissions } of people) {
    const head = heads.get(headKey)
    const [first, ...later] = submissions
    const last = submissions.at(-1)
    if (!first || !last) continue
    if (!head) newHeads.push(becomesHead(first._id, headKey, submissions.length, last.createdAt))
    // Before its submissions say so: what is not linked yet is found again after a crash, a head is not.
    else await addTo(head, submissions, migration)
    for (const { _id } of head ? submissions : later)
      if (!head?._id.equals(_id)) links.push(isDuplicateOf(_id, head?._id ?? first._id))
  }
  if (newHeads.length > 0) await all.bulkWrite(newHeads, { ordered: false })
  if (links.length > 0) await all.bulkWrite(links, { ordered: false })
}

function becomesHead(
  _id: ObjectId,
  headKey: string,
  submissions: number,
  lastSeenAt: Date,
): AnyBulkWriteOperation<Lead> {
  const filter = { _id, duplicateOf: { $exists: false } }
  return { updateOne: { filter, update: { $set: { headKey, submissions, lastSeenAt } } } }
}

function isDuplicateOf(_id: ObjectId, duplicateOf: ObjectId): AnyBulkWriteOperation<Lead> {
  return { updateOne: { filter: { _id }, update: { $set: { duplicateOf } } } }
}

/** Adds submissions to a head that was there before; what it was is kept with it, to undo that. */
async function addTo(
  head: Pick<Lead, '_id' | 'migration' | 'submissions' | 'lastSeenAt' | 'imports'>,
  submissions: readonly Linked[],
  migration: number,
): Promise<void> {
  const all = await leads.openGuarded()
  const added = submissions.filter(({ _id }) => !_id.equals(head._id))
  const linked = await all.countDocuments({ duplicateOf: head._id })
  const lastSeenAt = new Date(Math.max(...added.map(({ createdAt }) => +createdAt)))
  const $max = { submissions: linked + added.length + 1, lastSeenAt }
  const isOwn = head.migration === migration || head.imports?.some(before => before.migration === migration)
  if (isOwn) {
    await all.updateOne({ _id: head._id }, { $max })
    return
  }
  const before = {
    migration,
    ...(head.submissions !== undefined && { submissions: head.submissions }),
    ...(head.lastSeenAt && { lastSeenAt: head.lastSeenAt }),
  }
  await all.updateOne(
    { _id: head._id, 'imports.migration': { $ne: migration } },
    { $max, $push: { imports: before } },
  )
}
