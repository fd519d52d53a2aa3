import type { Collection, Entry } from './collection.js'
import { CommandError } from './errors.js'
import type { Context } from './expression/expression.js'
import type { KeyField } from './index-keys.js'
import type { ArrayMatch } from './paths.js'
import { choosePlan, type Effort, type Plan } from './planner.js'
import { type Filter, matches, parseFilter } from './predicate.js'
import { parseSort, sortBy, sortKey } from './sort.js'
import { type Doc, namesOf, type Value } from './values.js'

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

/** A query with its plan. Iterating runs it, and `effort` counts what that has taken so far. */
export class Execution {
  readonly effort: Effort = { keys: 0, documents: 0 }
  readonly plan: Plan
  readonly filter: Filter
  readonly sort: readonly KeyField[]

  constructor(
    collection: Collection,
    readonly query: Query,
    context?: Context,
  ) {
    const { hint, skip = 0, limit } = query
    this.filter = parseFilter(query.filter, context)
    const [first] = namesOf(query.sort ?? {})
    this.sort = first === '$natural' ? [] : parseSort(query.sort)
    this.plan = choosePlan(collection, {
      filter: this.filter,
      sort: this.sort,
      wanted: limit ? skip + limit : undefined,
      hint: first === '$natural' ? query.sort : hint,
    })
  }

  *run(): Generator<Found> {
    const { skip = 0, limit = 0 } = this.query
    const ordered = this.plan.sorted
      ? this.matching()
      : sortBy(this.matching(), ({ entry }) => sortKey(entry.document, this.sort))
    let [passed, given] = [0, 0]
    for (const found of ordered) {
      if (passed++ < skip) continue
      yield found
      if (++given === limit) return
    }
  }

  private *matching(): Generator<Found> {
    const { deadline } = this.query
    for (const entry of this.plan.candidates(this.effort)) {
      if (deadline && (this.effort.documents & 255) === 0 && Date.now() > deadline) {
        throw new CommandError('MaxTimeMSExpired', 'operation exceeded time limit')
      }
      const match: ArrayMatch = {}
      if (matches(this.filter, entry.document, match)) yield { entry, position: match.index }
    }
  }
}
