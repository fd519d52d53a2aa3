import type { Collection, Entry } from './collection.js'
import { type KeyField, readKeyField } from './index-keys.js'
import { choosePlan, type Effort, type Plan } from './planner.js'
import { type Filter, matches, parseFilter } from './predicate.js'
import { sortBy, sortKey } from './sort.js'
import { type Doc, fieldsOf } from './values.js'

export interface Query {
  filter: Doc
  sort?: Doc | undefined
  skip?: number | undefined
  /** 0 and undefined are no limit. */
  limit?: number | undefined
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
  ) {
    const { skip = 0, limit } = query
    this.filter = parseFilter(query.filter)
    this.sort = fieldsOf(query.sort ?? {}).map(([path, value]) => readKeyField(path, value))
    const wanted = limit ? skip + limit : undefined
    this.plan = choosePlan(collection, { filter: this.filter, sort: this.sort, wanted })
  }

  *run(): Generator<Entry> {
    const { skip = 0, limit = 0 } = this.query
    const ordered = this.plan.sorted
      ? this.matching()
      : sortBy(this.matching(), ({ document }) => sortKey(document, this.sort))
    let [passed, given] = [0, 0]
    for (const entry of ordered) {
      if (passed++ < skip) continue
      yield entry
      if (++given === limit) return
    }
  }

  private *matching(): Generator<Entry> {
    for (const entry of this.plan.candidates(this.effort)) {
      if (matches(this.filter, entry.document)) yield entry
    }
  }
}
