import type { Collection, Entry } from './collection.js'
import { CommandError, unsupported } from './errors.js'
import { compoundKey, indexKeys, type KeyField } from './index-keys.js'
import type { ArrayMatch } from './paths.js'
import { choosePlan, type Plan } from './planner.js'
import { type Filter, matches, parseFilter } from './predicate.js'
import { type Doc, isDoc, isNumeric, toNumber, type Value } from './values.js'

export interface Query {
  filter: Doc
  sort?: Doc | undefined
  skip?: number | undefined
  /** 0 and undefined are no limit. */
  limit?: number | undefined
  hint?: Value | undefined
  /** From the command's `maxTimeMS`: when to give up, in milliseconds of `Date.now()`. */
  deadline?: number | undefined
}

export interface Found {
  entry: Entry
  /** Which element of an array the filter met. */
  position: number | undefined
}

/** A query with its plan; iterating runs it, and the counts tell what that has taken so far. */
export class Execution {
  keysExamined = 0
  documentsExamined = 0
  readonly plan: Plan
  private readonly filter: Filter
  private readonly sort: readonly KeyField[]

  constructor(
    collection: Collection,
    private readonly query: Query,
  ) {
    this.filter = parseFilter(query.filter)
    this.sort = parseSort(query.sort)
    const { hint } = query
    this.plan = choosePlan(collection, this.filter, this.sort, hint, query.filter)
  }

  *run(): Generator<Found> {
    const { skip = 0, limit = 0 } = this.query
    const ordered = this.plan.sorted ? this.matching() : this.sorted()
    let [skipped, given] = [0, 0]
    for (const found of ordered) {
      if (skipped++ < skip) continue
      yield found
      if (++given === limit) return
    }
  }

  private *matching(): Generator<Found> {
    const { deadline } = this.query
    for (const entry of this.plan.entries()) {
      if (deadline && (++this.documentsExamined & 255) === 0 && Date.now() > deadline) throw timeOut()
      const match: ArrayMatch = {}
      if (matches(this.filter, entry.document, match)) yield { entry, position: match.index }
    }
  }

  private sorted(): Found[] {
    const keyed = [...this.matching()].map(found => ({
      found,
      key: sortKey(found.entry.document, this.sort),
    }))
    return keyed.sort(byKey).map(({ found }) => found)
  }
}

/** The key that a document sorts by: of an array, what comes first in the direction asked for. */
export function sortKey(document: Doc, sort: readonly KeyField[]): string {
  let least: string | undefined
  for (const values of indexKeys(document, sort)) {
    const key = compoundKey(values, sort)
    if (least === undefined || key < least) least = key
  }
  return least ?? ''
}

export function byKey(one: { key: string }, other: { key: string }): number {
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0
}

/** Reads a sort specification. Throws BadValue for directions other than 1 and -1. */
export function parseSort(sort: Doc | undefined): KeyField[] {
  return Object.entries(sort ?? {}).map(([path, value]) => {
    if (isDoc(value)) throw unsupported('$meta in a sort')
    const direction = isNumeric(value) ? toNumber(value) : 0
    if (direction !== 1 && direction !== -1) {
      throw new CommandError(15975, `$sort key ordering must be 1 (for ascending) or -1 (for descending)`)
    }
    return { path, parts: path.split('.'), direction }
  })
}

function timeOut(): CommandError {
  return new CommandError('MaxTimeMSExpired', 'operation exceeded time limit')
}
