import { randomUUID } from 'node:crypto'
import type { Db } from 'mongodb'
import { UsageError } from '../dev/usage-error.js'
import { listCollections, UNFINISHED } from './list-collections.js'

const ID = 'restore'

interface Unfinished {
  _id: string
  /** Of the process that writes: a later one takes over, and this one stops. */
  run: string
  /** What it writes, and nothing else was in: all of it may be dropped. */
  collections: string[]
  startedAt: Date
}

/** What a restore finds where it is to write. */
export interface Ground {
  /** Collections that the half of an earlier restore is in. */
  half: string[]
  halfStartedAt: Date | undefined
  /** Other collections with documents. */
  occupied: string[]
  /** Others that have none, but perhaps indexes. */
  empty: string[]
}

/** The right to write into a database until `finish`, or until somebody else took it. */
export interface Claim {
  /** @throws {Error} when another restore has begun meanwhile. */
  assertMine(): Promise<void>
  /** @throws {Error} when another restore has begun meanwhile: what is there now is its. */
  finish(): Promise<void>
}

const markers = (db: Db) => db.collection<Unfinished>(UNFINISHED)

/** Looks at a database that is to be restored into, and changes nothing. */
export async function survey(db: Db): Promise<Ground> {
  const marker = await markers(db).findOne({ _id: ID })
  const ground: Ground = { half: [], halfStartedAt: marker?.startedAt, occupied: [], empty: [] }
  for (const { name } of await listCollections(db)) {
    const isEmpty = (await db.collection(name).findOne({}, { projection: { _id: 1 } })) === null
    const isHalf = marker?.collections.includes(name)
    ground[isHalf ? 'half' : isEmpty ? 'empty' : 'occupied'].push(name)
  }
  return ground
}

/**
 * Takes the right to write the given collections: drops what an earlier restore left half written and, of the rest,
 * those with documents. Empty ones only lose their indexes, so that what a client writes at this moment is not lost.
 */
export async function claim(
  db: Db,
  ground: Ground,
  collections: readonly string[],
  now: Date,
): Promise<Claim> {
  const run = randomUUID()
  // First of all, so that the process that is still writing that half, if there is one, stops.
  if (ground.halfStartedAt) await markers(db).updateOne({ _id: ID }, { $set: { run } })
  const dropped = ground.occupied.filter(name => collections.includes(name))
  for (const name of [...ground.half, ...dropped]) await db.dropCollection(name)
  for (const name of ground.empty) if (collections.includes(name)) await db.collection(name).dropIndexes()
  // Only from here on may another run take what is in these collections for the half of a restore.
  const marker = { run, collections: [...collections], startedAt: now }
  await markers(db).replaceOne({ _id: ID }, marker, { upsert: true })
  return {
    async assertMine() {
      if (!(await markers(db).findOne({ _id: ID, run }))) throw overtaken()
    },
    async finish() {
      const { deletedCount } = await markers(db).deleteOne({ _id: ID, run })
      if (deletedCount === 0) throw overtaken()
      await db.dropCollection(UNFINISHED)
    },
  }
}

function overtaken(): Error {
  return new Error('another restore has begun to write into the same database: this one stops')
}

/** @throws {UsageError} for a database that a restore has left half written. */
export async function assertWhole(db: Db): Promise<void> {
  const marker = await markers(db).findOne({ _id: ID })
  if (!marker) return
  throw new UsageError(
    `a restore that began at ${marker.startedAt.toISOString()} is not finished here: run it again first`,
  )
}

/**
 * Whether two connections lead to the same database, however they are spelt: what is written by one is looked for by
 * the other.
 */
export async function isSameDatabase(a: Db, b: Db): Promise<boolean> {
  const probe = { _id: randomUUID(), run: '', collections: [], startedAt: new Date(0) }
  await markers(a).insertOne(probe)
  try {
    return (await markers(b).findOne({ _id: probe._id })) !== null
  } finally {
    await markers(a).deleteOne({ _id: probe._id })
    if (!(await markers(a).findOne())) await a.dropCollection(UNFINISHED)
  }
}
