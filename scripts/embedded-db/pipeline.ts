import type { Collection, Entry } from './collection.js'
import { CommandError, unsupported } from './errors.js'
import { type Context, compileExpression, declare } from './expression/expression.js'
import { Execution, type Query } from './query.js'
import { countOf, documentOf, refuseStage, STAGES, type Stage, stageOf } from './stages.js'
import { changed } from './update-path.js'
import { type Doc, docOf, field, fieldsOf, isDoc, type Maybe, namesOf, plain, type Value } from './values.js'

/** How a pipeline reaches the other collections of its database. */
export type Read = (collection: string) => Collection

/** A pipeline ready to run: what the indexes can answer as a query, then the rest stage by stage. */
export interface Pipeline {
  execution: Execution
  /** The stages left after the query; with none, the results are stored documents as they are. */
  rest: Stage[]
  /** The same as they were given. */
  restGiven: readonly Value[]
}

/** Splits a pipeline after the `$match`, `$sort`, `$skip` and `$limit` at its start. Throws what its stages throw. */
export function planPipeline(
  collection: Collection,
  stages: readonly Value[],
  context: Context,
  read: Read,
  options: Pick<Query, 'hint' | 'deadline'> = {},
): Pipeline {
  const { query, used } = leadingQuery(stages)
  const restGiven = stages.slice(used)
  const rest = restGiven.map(stage => compileStage(stage, context, read))
  return { execution: new Execution(collection, { ...query, ...options }, context), rest, restGiven }
}

export function runPipeline({ execution, rest }: Pipeline): Iterable<Doc> {
  return rest.reduce<Iterable<Doc>>((input, stage) => stage(input), documents(execution.run()))
}

function* documents(found: Iterable<{ entry: Entry }>): Generator<Doc> {
  for (const { entry } of found) yield entry.document
}

function leadingQuery(stages: readonly Value[]): { query: Query; used: number } {
  const filters: Doc[] = []
  const query: Query = { filter: {} }
  let used = 0
  for (const stage of stages) {
    const [name, operand] = stageOf(stage)
    const isSorted = query.sort !== undefined || query.skip !== undefined
    if (query.limit !== undefined) break
    if (name === '$match' && !isSorted) filters.push(documentOf(name, operand))
    else if (name === '$sort' && !isSorted && isDoc(operand) && namesOf(operand).length > 0)
      query.sort = operand
    else if (name === '$skip' && query.skip === undefined) query.skip = countOf(name, operand)
    else if (name === '$limit' && countOf(name, operand) > 0) query.limit = countOf(name, operand)
    else break
    used++
  }
  query.filter = filters.length === 1 ? (filters[0] as Doc) : filters.length > 1 ? { $and: filters } : {}
  return { query, used }
}

function compileStage(stage: Value, context: Context, read: Read): Stage {
  const [name, operand] = stageOf(stage)
  if (name === '$lookup') return lookup(documentOf(name, operand), context, read)
  if (name === '$facet') return facet(documentOf(name, operand), context, read)
  if (name === '$unionWith') return unionWith(operand, context, read)
  const make = Object.hasOwn(STAGES, name) ? STAGES[name] : undefined
  return make ? make(operand, context) : refuseStage(name)
}

function facet(spec: Doc, context: Context, read: Read): Stage {
  const branches = fieldsOf(spec).map(([name, stages]) => {
    if (!Array.isArray(stages))
      throw new CommandError(40170, `arguments to $facet must be arrays, ${name} is not`)
    const names = stages.map(stage => stageOf(stage)[0])
    if (names.includes('$facet'))
      throw new CommandError(40600, '$facet is not allowed to be used within a $facet stage')
    return { name, stages: stages.map(stage => compileStage(stage, context, read)) }
  })
  if (branches.length === 0)
    throw new CommandError(40169, 'the $facet specification must be a non-empty object')
  return input => {
    const all = [...input]
    const run = (stages: Stage[]) => [...stages.reduce<Iterable<Doc>>((before, stage) => stage(before), all)]
    return [docOf(branches.map(({ name, stages }) => [name, run(stages)]))]
  }
}

function unionWith(operand: Value, context: Context, read: Read): Stage {
  const spec = typeof operand === 'string' ? { coll: operand } : documentOf('$unionWith', operand)
  const { coll, pipeline = [], ...others } = plain(spec)
  refuseOthers('$unionWith', others)
  const stages = pipeline as Value[]
  const other = String(coll)
  planPipeline(read(other), stages, context, read)
  return function* (input) {
    yield* input
    yield* runPipeline(planPipeline(read(other), stages, context, read))
  }
}

function lookup(spec: Doc, context: Context, read: Read): Stage {
  const { from, as, localField, foreignField, let: bindings = {}, pipeline, ...others } = plain(spec)
  refuseOthers('$lookup', others)
  if (
    typeof from !== 'string' ||
    typeof as !== 'string' ||
    !isDoc(bindings) ||
    !(pipeline === undefined || Array.isArray(pipeline))
  ) {
    throw new CommandError(
      'FailedToParse',
      '$lookup needs from and as as strings, let and pipeline of their types',
    )
  }
  if ((localField === undefined) !== (foreignField === undefined)) {
    throw new CommandError('FailedToParse', '$lookup requires both or neither of localField and foreignField')
  }
  if (localField === undefined && pipeline === undefined) {
    throw new CommandError('FailedToParse', '$lookup requires a pipeline, or localField and foreignField')
  }
  let inner = context
  const variables = fieldsOf(bindings).map(([name, value]) => {
    const variable = declare(inner, name)
    inner = variable.inner
    return { assign: variable.assign, value: compileExpression(value, context) }
  })
  const localParts = typeof localField === 'string' ? localField.split('.') : undefined
  const own = pipeline ?? []
  planPipeline(read(from), own, inner, read)
  return function* (input) {
    for (const document of input) {
      const values = variables.map(({ value }) => value(document))
      for (const [index, { assign }] of variables.entries()) assign(values[index])
      const joined = localParts ? [{ $match: joinFilter(document, localParts, String(foreignField)) }] : []
      const found = [...runPipeline(planPipeline(read(from), [...joined, ...own], inner, read))]
      yield changed(document, { parts: as.split('.'), apply: () => found, creates: true })
    }
  }
}

/** Equality with the local value; with any element of an array; with null or missing where there is none. */
function joinFilter(document: Doc, parts: readonly string[], foreignField: string): Doc {
  const values = [...localValues(document, parts, 0)]
  if (values.length === 0) values.push(null)
  return { [foreignField]: values.length === 1 ? { $eq: values[0] as Value } : { $in: values } }
}

function* localValues(value: Maybe, parts: readonly string[], depth: number): Generator<Value> {
  if (Array.isArray(value)) {
    for (const element of value) {
      if (depth === parts.length) yield element
      else if (isDoc(element)) yield* localValues(element, parts, depth)
    }
  } else if (depth === parts.length || value === undefined) yield value ?? null
  else yield* localValues(isDoc(value) ? field(value, parts[depth] as string) : undefined, parts, depth + 1)
}

function refuseOthers(stage: string, others: object): void {
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw unsupported(`The option '${strange}' of ${stage}`)
}
