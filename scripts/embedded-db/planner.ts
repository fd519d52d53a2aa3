import type { Collection, Entry, Index } from './collection.js'
import type { KeyField } from './index-keys.js'
import type { IndexSpec } from './index-spec.js'
import {
  AFTER,
  type Bounds,
  boundsOf,
  descending,
  type Interval,
  includes,
  intersection,
  intervalsOf,
  isPoint,
  isWithin,
  NULL_KEY,
} from './intervals.js'
import { equal } from './order.js'
import { conjuncts, type Filter, type Leaf } from './predicate.js'
import type { Value } from './values.js'

/** How many documents and keys have been looked at. */
export interface Effort {
  keys: number
  documents: number
}

/** A way to find the documents of a query: each candidate once, the filter still to be applied. */
export interface Plan {
  /** The index it goes along; undefined for a scan of the collection. */
  index: Index | undefined
  backward: boolean
  /** Whether the documents come in the order asked for. */
  sorted: boolean
  /** Whether they do because several scans are read side by side. */
  merged: boolean
  candidates: (effort: Effort) => Iterable<Entry>
}

interface Wish {
  filter: Filter
  sort: readonly KeyField[]
  /** How many documents are wanted, with those skipped; undefined for all. */
  wanted: number | undefined
}

/** More combinations of `$in` values than this are not scanned one by one, or not side by side. */
const MAX_SCANS = 1000
const MAX_MERGED = 200

/** A part of an index, and the values of its first fields that all of it has. */
interface Scan extends Interval {
  prefix: string
}

/** How a field is held: to a value, or to one of several in each scan. */
type Held = 'one' | 'several'

interface Order {
  /** Whether reading along the index gives the order asked for. */
  sorted: boolean
  backward: boolean
  /** Each scan has that order for itself: only side by side all of them have it. */
  merged: boolean
}

interface Candidate extends Order {
  index: Index
  scans: Scan[]
  bounded: number
  keys: number
}

/** Chooses an index by how many of its keys would have to be read, or a scan where none helps. */
export function choosePlan(collection: Collection, { filter, sort, wanted }: Wish): Plan {
  const parts = conjuncts(filter)
  const id = parts.find(part => part.kind === 'leaf' && part.path === '_id' && part.operator === '$eq')
  if (id?.kind === 'leaf' && !Array.isArray(id.operand)) return findById(collection, id.operand)
  const bounds = boundsOf(filter)
  const candidates: Candidate[] = []
  for (const index of collection.indexes.values()) {
    if (!isImplied(index.spec, parts, bounds) || !holdsAll(index.spec, bounds)) continue
    const candidate = candidateFor(index, bounds, sort)
    if (candidate.bounded > 0 || (sort.length > 0 && candidate.sorted)) candidates.push(candidate)
  }
  const best = cheapest(candidates, sort.length > 0, wanted)
  return best ? alongIndex(best) : scanAll(collection, sort)
}

function scanAll(collection: Collection, sort: readonly KeyField[]): Plan {
  return {
    index: undefined,
    backward: false,
    sorted: sort.length === 0,
    merged: false,
    *candidates(effort) {
      for (const entry of collection.entries.values()) {
        effort.documents++
        yield entry
      }
    },
  }
}

function findById(collection: Collection, id: Value): Plan {
  return {
    index: collection.indexes.get('_id_'),
    backward: false,
    sorted: true,
    merged: false,
    candidates(effort) {
      const entry = collection.get(id)
      if (!entry) return []
      effort.keys++
      effort.documents++
      return [entry]
    },
  }
}

function alongIndex({ index, scans, sorted, backward, merged }: Candidate): Plan {
  const inTurn = backward ? scans.toReversed() : scans
  const entriesOf = merged ? mergedEntries : concatenatedEntries
  return {
    index,
    backward,
    sorted,
    merged,
    *candidates(effort) {
      // A document with an array has several keys, and it is one result.
      const seen = index.multikey.includes(true) ? new Set<Entry>() : undefined
      for (const entry of entriesOf(index, inTurn, backward, effort)) {
        if (seen?.has(entry)) continue
        seen?.add(entry)
        effort.documents++
        yield entry
      }
    },
  }
}

function* concatenatedEntries(
  index: Index,
  scans: readonly Scan[],
  backward: boolean,
  effort: Effort,
): Generator<Entry> {
  for (const { low, high } of scans) {
    for (const [, entry] of index.map.range(low, high, backward)) {
      effort.keys++
      yield entry
    }
  }
}

/** The entries of all scans in the order of what follows the prefix of each. */
function* mergedEntries(
  index: Index,
  scans: readonly Scan[],
  backward: boolean,
  effort: Effort,
): Generator<Entry> {
  const heads: { key: string; entry: Entry; advance(): void }[] = []
  const read = (source: Iterator<[string, Entry]>, prefix: number): void => {
    const { value, done } = source.next()
    if (done) return
    effort.keys++
    const [key, entry] = value
    heads.push({ key: key.slice(prefix), entry, advance: () => read(source, prefix) })
  }
  for (const { low, high, prefix } of scans)
    read(index.map.range(low, high, backward)[Symbol.iterator](), prefix.length)
  while (heads.length > 0) {
    const first = heads.reduce((best, head) => (head.key < best.key !== backward ? head : best))
    yield first.entry
    heads.splice(heads.indexOf(first), 1)
    first.advance()
  }
}

/** Whether every document that the query can match satisfies a partial index's filter. */
function isImplied({ partial }: IndexSpec, parts: readonly Filter[], bounds: Bounds): boolean {
  if (!partial) return true
  return conjuncts(partial).every(wanted => {
    if (wanted.kind !== 'leaf') return false
    const same = parts.some(
      part =>
        part.kind === 'leaf' &&
        part.path === wanted.path &&
        part.operator === wanted.operator &&
        equal(part.operand, wanted.operand),
    )
    return same || (bounds.get(wanted.path) ?? []).some(intervals => implies(intervals, wanted))
  })
}

function implies(intervals: readonly Interval[], wanted: Leaf): boolean {
  if (wanted.operator === '$exists') return !includes(intervals, NULL_KEY)
  const outer = intervalsOf(wanted)
  return outer !== undefined && isWithin(intervals, outer)
}

/** Whether a sparse index holds every document of the query, which must ask one of its fields to be there. */
function holdsAll({ sparse, fields }: IndexSpec, bounds: Bounds): boolean {
  if (!sparse) return true
  return fields.some(({ path }) => (bounds.get(path) ?? []).some(intervals => !includes(intervals, NULL_KEY)))
}

function candidateFor(index: Index, bounds: Bounds, sort: readonly KeyField[]): Candidate {
  const { fields } = index.spec
  let scans: Scan[] = [{ low: '', high: AFTER, prefix: '' }]
  /** The bounded fields; behind those that are held the order of the next field shows. */
  const held: (Held | undefined)[] = []
  let arrayBounded = false
  for (const [place, { path, direction }] of fields.entries()) {
    const isArray = index.multikey[place] === true
    // Two paths through one array may be satisfied by different elements, whose keys do not lie together.
    if (isArray && arrayBounded) break
    const lists = bounds.get(path) ?? []
    const intervals = isArray ? narrowest(index, scans, lists, direction) : lists.reduce(intersect, undefined)
    if (!intervals || scans.length * intervals.length > MAX_SCANS) break
    scans = nested(scans, intervals, direction)
    const arePoints = intervals.every(isPoint)
    held.push(arePoints ? (intervals.length === 1 ? 'one' : 'several') : undefined)
    arrayBounded ||= isArray
    if (!arePoints) break
  }
  const keys = estimate(index, scans)
  const { merged, ...order } = orderOf(index, held, sort)
  const sorted = order.sorted && !(merged && scans.length > MAX_MERGED)
  return { index, scans, bounded: held.length, keys, ...order, sorted, merged: merged && sorted }
}

function intersect(one: readonly Interval[] | undefined, other: readonly Interval[]): readonly Interval[] {
  return one ? intersection(one, other) : other
}

/** Each scan, which so far is held to one value, narrowed by the intervals of the next field. */
function nested(scans: readonly Scan[], intervals: readonly Interval[], direction: 1 | -1): Scan[] {
  const turned = direction === 1 ? intervals : descending(intervals)
  const arePoints = intervals.every(isPoint)
  return scans.flatMap(({ prefix }) =>
    turned.map(({ low, high }) => ({
      low: prefix + low,
      high: prefix + high,
      prefix: arePoints ? prefix + low : prefix,
    })),
  )
}

function narrowest(
  index: Index,
  scans: readonly Scan[],
  lists: readonly Interval[][],
  direction: 1 | -1,
): readonly Interval[] | undefined {
  const keysOf = (intervals: Interval[]) => estimate(index, nested(scans, intervals, direction))
  return lists.toSorted((one, other) => keysOf(one) - keysOf(other))[0]
}

function estimate(index: Index, scans: readonly Interval[]): number {
  return scans.reduce((sum, { low, high }) => sum + index.map.estimate(low, high), 0)
}

/** Whether reading along the index gives the order asked for, in which direction, and in one go or side by side. */
function orderOf(index: Index, held: readonly (Held | undefined)[], sort: readonly KeyField[]): Order {
  const unsorted = { sorted: false, backward: false, merged: false }
  const { fields } = index.spec
  let turn = 0
  let at = 0
  let merged = false
  for (const { path, direction } of sort) {
    const own = fields.findIndex((field, place) => field.path === path && held[place] === 'one')
    if (own >= 0 && !index.multikey[own]) continue
    for (; held[at] && fields[at]?.path !== path; at++) {
      if (held[at] === 'one') continue
      // What comes before it in the order would have to be compared first.
      if (turn !== 0) return unsorted
      merged = true
    }
    const field = fields[at]
    // Of an array, a sort looks at the least or greatest element, an index at each of them.
    if (!field || field.path !== path || index.multikey[at]) return unsorted
    // A field with a value of its own in each scan is before what the scans are merged by.
    if (merged && held[at] === 'several') return unsorted
    if (turn !== 0 && turn !== field.direction * direction) return unsorted
    turn = field.direction * direction
    at++
  }
  return { sorted: true, backward: turn === -1, merged }
}

/** The candidate that has to read the fewest keys; among equals the one bounded further, then the sorted one. */
function cheapest(
  candidates: readonly Candidate[],
  needsSort: boolean,
  wanted: number | undefined,
): Candidate | undefined {
  const fewest = Math.max(1, Math.min(...candidates.map(({ keys }) => keys)))
  const costOf = ({ keys, sorted }: Candidate): number => {
    if (needsSort && !sorted) return keys * 1.5
    // At most `fewest` of the keys can match; taking them as evenly spread tells when enough have been found.
    return wanted === undefined ? keys : Math.min(keys, (wanted * keys) / fewest)
  }
  return candidates.toSorted(
    (one, other) =>
      costOf(one) - costOf(other) || other.bounded - one.bounded || Number(other.sorted) - Number(one.sorted),
  )[0]
}
