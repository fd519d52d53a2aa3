import type { Collection, Entry } from './collection.js'
import { CommandError } from './errors.js'
import type { Context } from './expression/expression.js'
import type { KeyField } from './index-keys.js'
import type { ArrayMatch } from './paths.js'
import { choosePlan, type Plan } from './planner.js'
import { type Filter, matches, parseFilter } from './predicate.js'
import { parseSort, sortBy, sortKey } from './sort.js'
import type { Doc, Value } from './values.js'

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
    context?: Context,
  ) {
    this.filter = parseFilter(query.filter, context)
    this.sort = parseSort(query.sort)
    this.plan = choosePlan(collection, this.filter, this.sort, query.hint, query.filter)
  }

  *run(): Generator<Found> {
    const { skip = 0, limit = 0 } = this.query
    const ordered = this.plan.sorted
      ? this.matching()
      : sortBy(this.matching(), ({ entry }) => sortKey(entry.document, this.sort))
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
      if (deadline && (++this.documentsExamined & 255) === 0 && Date.now() > deadline) {
        throw new CommandError('MaxTimeMSExpired', 'operation exceeded time limit')
      }
      const match: ArrayMatch = {}
      if (matches(this.filter, entry.document, match)) yield { entry, position: match.index }
    }
  }
}
