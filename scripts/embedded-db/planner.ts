import type { Collection, Entry, Index } from './collection.js'
import { CommandError } from './errors.js'
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
import { isDoc, isNumeric, toNumber, type Value } from './values.js'

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
  candidates: (effort: Effort) => Iterable<Entry>
}

interface Wish {
  filter: Filter
  sort: readonly KeyField[]
  /** How many documents are wanted, with those skipped; undefined for all. */
  wanted: number | undefined
  hint: Value | undefined
}

/** More combinations of `$in` values than this are not scanned one by one. */
const MAX_SCANS = 1000

interface Candidate {
  index: Index
  scans: Interval[]
  bounded: number
  keys: number
  sorted: boolean
  backward: boolean
}

/**
 * Chooses an index by how many of its keys would have to be read, or a scan where none helps. Throws BadValue for a
 * hint at an index that is not there or cannot answer.
 */
export function choosePlan(collection: Collection, { filter, sort, wanted, hint }: Wish): Plan {
  if (!collection.exists) return scanAll(collection, sort, false)
  const natural = isDoc(hint) && '$natural' in hint ? hint.$natural : undefined
  if (natural !== undefined) return scanAll(collection, sort, isNumeric(natural) && toNumber(natural) < 0)
  const parts = conjuncts(filter)
  if (hint === undefined) {
    const id = parts.find(part => part.kind === 'leaf' && part.path === '_id' && part.operator === '$eq')
    if (id?.kind === 'leaf' && !Array.isArray(id.operand)) return findById(collection, id.operand)
  }
  const hinted = hint === undefined ? undefined : hintedIndex(collection, hint)
  const bounds = boundsOf(filter)
  const candidates: Candidate[] = []
  for (const index of hinted ? [hinted] : collection.indexes.values()) {
    if (!isImplied(index.spec, parts, bounds)) continue
    const candidate = candidateFor(index, bounds, sort)
    const useful = candidate.bounded > 0 || (sort.length > 0 && candidate.sorted)
    if (hinted || (useful && holdsAll(index.spec, bounds))) candidates.push(candidate)
  }
  if (hinted && candidates.length === 0) {
    throw new CommandError('BadValue', 'bad hint: the index does not hold every document of the query')
  }
  const best = cheapest(candidates, sort.length > 0, wanted)
  return best ? alongIndex(best) : scanAll(collection, sort, false)
}

function scanAll(collection: Collection, sort: readonly KeyField[], backward: boolean): Plan {
  return {
    index: undefined,
    backward,
    sorted: sort.length === 0,
    *candidates(effort) {
      const entries = collection.entries.values()
      for (const entry of backward ? [...entries].reverse() : entries) {
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
    candidates(effort) {
      const entry = collection.get(id)
      if (!entry) return []
      effort.keys++
      effort.documents++
      return [entry]
    },
  }
}

function alongIndex({ index, scans, sorted, backward }: Candidate): Plan {
  return {
    index,
    backward,
    sorted,
    *candidates(effort) {
      // A document with an array has several keys, and it is one result.
      const seen = index.multikey.includes(true) ? new Set<Entry>() : undefined
      for (const { low, high } of backward ? scans.toReversed() : scans) {
        for (const [, entry] of index.map.range(low, high, backward)) {
          effort.keys++
          if (seen?.has(entry)) continue
          seen?.add(entry)
          effort.documents++
          yield entry
        }
      }
    },
  }
}

function hintedIndex(collection: Collection, hint: Value): Index {
  for (const index of collection.indexes.values()) {
    if (hint === index.spec.name || (isDoc(hint) && equal(hint, index.spec.key))) return index
  }
  throw new CommandError(
    'BadValue',
    'error processing query: hint provided does not correspond to an existing index',
  )
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
  let scans: Interval[] = [{ low: '', high: AFTER }]
  /** The fields that are held to one value, behind which the order of the next field shows. */
  const fixed: boolean[] = []
  let arrayBounded = false
  for (const [place, { path, direction }] of fields.entries()) {
    const isArray = index.multikey[place] === true
    // Two paths through one array may be satisfied by different elements, whose keys do not lie together.
    if (isArray && arrayBounded) break
    const lists = bounds.get(path) ?? []
    const intervals = isArray ? narrowest(index, scans, lists, direction) : lists.reduce(intersect, undefined)
    if (!intervals || scans.length * intervals.length > MAX_SCANS) break
    scans = nested(scans, intervals, direction)
    fixed.push(intervals.length === 1 && isPoint(intervals[0] as Interval))
    arrayBounded ||= isArray
    if (!intervals.every(isPoint)) break
  }
  const keys = estimate(index, scans)
  return { index, scans, bounded: fixed.length, keys, ...orderOf(index, fixed, sort) }
}

function intersect(one: readonly Interval[] | undefined, other: readonly Interval[]): readonly Interval[] {
  return one ? intersection(one, other) : other
}

/** Each scan, which so far is held to one value, narrowed by the intervals of the next field. */
function nested(scans: Interval[], intervals: readonly Interval[], direction: 1 | -1): Interval[] {
  const turned = direction === 1 ? intervals : descending(intervals)
  return scans.flatMap(({ low: prefix }) =>
    turned.map(({ low, high }) => ({ low: prefix + low, high: prefix + high })),
  )
}

function narrowest(
  index: Index,
  scans: Interval[],
  lists: readonly Interval[][],
  direction: 1 | -1,
): readonly Interval[] | undefined {
  const keysOf = (intervals: Interval[]) => estimate(index, nested(scans, intervals, direction))
  return lists.toSorted((one, other) => keysOf(one) - keysOf(other))[0]
}

function estimate(index: Index, scans: readonly Interval[]): number {
  return scans.reduce((sum, { low, high }) => sum + index.map.estimate(low, high), 0)
}

/** Whether reading along the index gives the order asked for, and in which direction. */
function orderOf(
  index: Index,
  fixed: readonly boolean[],
  sort: readonly KeyField[],
): { sorted: boolean; backward: boolean } {
  const { fields } = index.spec
  let turn = 0
  let at = 0
  for (const { path, direction } of sort) {
    const own = fields.findIndex((field, place) => field.path === path && fixed[place])
    if (own >= 0 && !index.multikey[own]) continue
    while (fixed[at] && fields[at]?.path !== path) at++
    const field = fields[at]
    // Of an array, a sort looks at the least or greatest element, an index at each of them.
    if (!field || field.path !== path || index.multikey[at]) return { sorted: false, backward: false }
    if (turn !== 0 && turn !== field.direction * direction) return { sorted: false, backward: false }
    turn = field.direction * direction
    at++
  }
  return { sorted: true, backward: turn === -1 }
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
