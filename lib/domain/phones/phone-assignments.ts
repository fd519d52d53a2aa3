import { type Filter, ObjectId } from 'mongodb'
import { contended } from '../../db/errors.js'
import { unlessTaken } from '../../db/upsert.js'
import { AppError } from '../../errors.js'
import { userProfiles } from '../accounts/user-profiles.js'
import { REQUEST_LIFE_MS } from '../request-life.js'
import { type PhoneNumber, phoneNumbers } from './phone-numbers.js'

/**
 * How long a number that was won may be in no profile. Longer than its request can be at it: one that is given back
 * late harms nobody, and calls to one that is given back too early reach somebody else.
 */
const STRAY_AFTER_MS = 10 * REQUEST_LIFE_MS

/** How many numbers maintenance looks at in one query. */
const BATCH = 500

/** How often an assignment begins anew when others move the same user or number: each time one of them got further. */
const MAX_ATTEMPTS = 20

/**
 * Gives a user a number of the inventory: this one, or any. The number is won by one conditional write on the
 * inventory and then written to the profile, whose unique index is the last word; the number that it replaces
 * there is given back. The profile is written only as the request found it: of several requests of one user, one
 * that comes too late begins anew. A crash after the first write is mended by the retry, which finds the number
 * to be the user's own; one before the last by `releaseStrayNumbers`.
 *
 * @param wanted without it: the number that the user has, else the first free one.
 * @throws {AppError} `conflict` when the number is somebody's or none is free, `not_found` for a number that is
 *   not in the inventory.
 */
export async function assignPhoneNumber(
  userId: ObjectId,
  wanted: string | undefined,
  now: Date,
): Promise<string> {
  let spare: Assignment | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const before = await findAssignment(userId)
    if (spare && spare.number !== before?.number) await release(assigned(userId, spare))
    const number = wanted ?? before?.number
    if (before && before.number === number && isDone(before, wanted)) return number
    const won = number === undefined ? await winAny(userId, now) : await win(userId, number, now)
    if (won && (await moveProfile(userId, before, won, now))) {
      if (before && before.number !== won.number) await release(assigned(userId, before))
      return won.number
    }
    if (!won && wanted !== undefined) throw taken()
    // What was won in vain is given back, unless another request of the user was at it before: then it is that one's.
    spare = won?.wasFree && wanted === undefined ? won : undefined
  }
  throw contended()
}

/**
 * Gives back every number of a user: the profile first, so that no call is routed to who has left. Returns how
 * many.
 */
export async function releasePhoneNumbers(userId: ObjectId, now: Date): Promise<number> {
  await (await userProfiles.open()).updateOne(
    { userId },
    { $unset: { assignedPhoneNumber: '', phoneAssignmentId: '' }, $set: { updatedAt: now } },
  )
  return release({ userId })
}

/**
 * Gives back numbers that a crash left with users whose profile does not name them, once no request can still
 * be at it. Returns how many.
 *
 * @param shouldStop whether to end before the next numbers.
 */
export async function releaseStrayNumbers(
  now: Date,
  shouldStop: () => boolean = () => false,
): Promise<number> {
  const numbers = await phoneNumbers.open()
  const profiles = await userProfiles.open()
  const settled = { assignedAt: { $lt: new Date(now.getTime() - STRAY_AFTER_MS) } }
  let released = 0
  for (let last = ''; ; ) {
    const batch = await numbers
      .find({ _id: { $gt: last }, userId: { $exists: true }, ...settled })
      .sort({ _id: 1 })
      .limit(BATCH)
      .toArray()
    const named = await profiles.find({ assignedPhoneNumber: { $in: batch.map(({ _id }) => _id) } }).toArray()
    const holders = new Map(named.map(profile => [profile.assignedPhoneNumber, profile.userId]))
    for (const { _id, userId } of batch)
      if (userId && !holders.get(_id)?.equals(userId)) released += await release({ _id, userId, ...settled })
    if (batch.length < BATCH || shouldStop()) return released
    last = batch.at(-1)?._id ?? last
  }
}

/** A number as it was won: none is given back that was won once more meanwhile. */
interface Assignment {
  number: string
  assignmentId: ObjectId | undefined
}

interface Won extends Assignment {
  wasFree: boolean
}

/** Finds a number of a user for as long as the assignment is that one. */
function assigned(userId: ObjectId, { number, assignmentId }: Assignment): Filter<PhoneNumber> {
  return { _id: number, userId, assignmentId: assignmentId ?? { $exists: false } }
}

/**
 * What a user's profile names, and what the inventory says of it: the same, that it was won once more for this
 * user, or neither. What it does not know at all is the same.
 */
interface Named extends Assignment {
  inventory: 'same' | 'won again' | 'not theirs'
}

async function findAssignment(userId: ObjectId): Promise<Named | undefined> {
  const profile = await (await userProfiles.open()).findOne({ userId })
  const number = profile?.assignedPhoneNumber
  if (typeof number !== 'string') return undefined
  const assignmentId = profile?.phoneAssignmentId
  const held = await (await phoneNumbers.open()).findOne({ _id: number })
  if (held && !held.userId?.equals(userId)) return { number, assignmentId, inventory: 'not theirs' }
  const same = !held || String(held.assignmentId) === String(assignmentId)
  return { number, assignmentId, inventory: same ? 'same' : 'won again' }
}

/** Another request of the user that wins the number once more writes it to the profile: none else need. */
function isDone({ inventory }: Named, wanted: string | undefined): boolean {
  return inventory === 'same' || (inventory === 'won again' && wanted === undefined)
}

/**
 * The number that is the user's without being in the profile: a crash left it, or another request is at it, whose
 * it stays. Else the first free one, made the user's; undefined where that was lost to others and there is more.
 *
 * @throws {AppError} `conflict` when none is free.
 */
async function winAny(userId: ObjectId, now: Date): Promise<Won | undefined> {
  const numbers = await phoneNumbers.open()
  const own = await numbers.findOne({ userId })
  if (own) return { number: own._id, assignmentId: own.assignmentId, wasFree: false }
  const assignmentId = new ObjectId()
  const isFree = { userId: { $exists: false } }
  const won = await numbers.findOneAndUpdate(
    isFree,
    { $set: { userId, assignedAt: now, assignmentId } },
    { sort: { _id: 1 } },
  )
  if (won) return { number: won._id, assignmentId, wasFree: true }
  if ((await numbers.countDocuments({ $or: [isFree, { userId }] }, { limit: 1 })) > 0) return undefined
  throw new AppError('conflict', 'No phone number is free.')
}

/**
 * Makes a number the user's, if it is free, the user's already, or the user's by the profile; undefined if it is
 * another's.
 *
 * @throws {AppError} `not_found` for a number that is not in the inventory.
 */
async function win(userId: ObjectId, number: string, now: Date): Promise<Won | undefined> {
  const numbers = await phoneNumbers.open()
  const assignmentId = new ObjectId()
  const change = { $set: { userId, assignedAt: now, assignmentId } }
  const before = await numbers.findOneAndUpdate(
    { _id: number, $or: [{ userId: { $exists: false } }, { userId }] },
    change,
    { returnDocument: 'before' },
  )
  if (before) return { number, assignmentId, wasFree: before.userId === undefined }
  if ((await numbers.countDocuments({ _id: number }, { limit: 1 })) === 0)
    throw new AppError('not_found', 'This phone number is not in the inventory.')
  const holder = await findHolder(number)
  if (!holder?.equals(userId)) return undefined
  await numbers.updateOne({ _id: number }, change)
  return { number, assignmentId, wasFree: false }
}

/**
 * Writes a number that was won to the profile in place of what was found there. False if the profile has moved on
 * meanwhile, or another one names the number: then it is that user's again.
 */
async function moveProfile(
  userId: ObjectId,
  from: Assignment | undefined,
  { number, assignmentId }: Assignment,
  now: Date,
): Promise<boolean> {
  const profiles = await userProfiles.openGuarded()
  const asFound = {
    userId,
    assignedPhoneNumber: from?.number ?? null,
    phoneAssignmentId: from?.assignmentId ?? { $exists: false },
  }
  const change = { assignedPhoneNumber: number, phoneAssignmentId: assignmentId, updatedAt: now }
  const update = { $set: change, $setOnInsert: { createdAt: now } }
  const options = { upsert: from === undefined }
  const moved = await unlessTaken(() => profiles.updateOne(asFound, update, options))
  if (moved) return moved.matchedCount + moved.upsertedCount === 1
  const holder = await findHolder(number)
  if (holder && !holder.equals(userId))
    await (await phoneNumbers.open()).updateOne({ _id: number, userId }, { $set: { userId: holder } })
  return false
}

/** Whose a number is by the profiles. */
async function findHolder(assignedPhoneNumber: string): Promise<ObjectId | undefined> {
  return (await (await userProfiles.open()).findOne({ assignedPhoneNumber }))?.userId
}

async function release(which: Filter<PhoneNumber>): Promise<number> {
  const numbers = await phoneNumbers.open()
  return (await numbers.updateMany(which, { $unset: { userId: '', assignedAt: '', assignmentId: '' } }))
    .modifiedCount
}

function taken(): AppError {
  return new AppError('conflict', 'This phone number is assigned to another account.')
}
