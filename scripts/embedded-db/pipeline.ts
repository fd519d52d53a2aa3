import { Double, Int32 } from 'mongodb'
import type { Collection } from './collection.js'
import { CommandError, unsupported } from './errors.js'
import { compileExpression, type Expression } from './expression.js'
import { arithmetic } from './numbers.js'
import { extreme, orderKey } from './order.js'
import { matches, parseFilter } from './predicate.js'
import { Execution } from './query.js'
import { changed } from './update-path.js'
import {
  type Doc,
  docOf,
  field,
  fieldsOf,
  isDoc,
  isNumeric,
  isTruthy,
  type Maybe,
  type Numeric,
  namesOf,
  plain,
  toNumber,
  type Value,
} from './values.js'

type Stage = (input: Iterable<Doc>) => Iterable<Doc>

/** A pipeline ready to run: what the indexes can answer as a query, then the rest stage by stage. */
export interface Pipeline {
  execution: Execution
  rest: Stage[]
  /** The same as they were given. */
  restGiven: readonly Value[]
}

/** Splits a pipeline behind the `$match` and `$limit` at its start. Throws what its stages throw. */
export function planPipeline(collection: Collection, stages: readonly Value[]): Pipeline {
  const named = stages.map(stageOf)
  const [match, limit] = named[0]?.name === '$match' ? named : [undefined, ...named]
  const query = {
    filter: match ? documentOf(match) : {},
    limit: limit?.name === '$limit' ? limitOf(limit) : 0,
  }
  const used = (match ? 1 : 0) + (query.limit ? 1 : 0)
  return {
    execution: new Execution(collection, query),
    rest: named.slice(used).map(stage => (STAGES[stage.name] ?? refuse)(stage)),
    restGiven: stages.slice(used),
  }
}

/** The documents that come out at the end. */
export function runPipeline({ execution, rest }: Pipeline): Iterable<Doc> {
  const found = execution.run()
  const documents = (function* () {
    for (const { document } of found) yield document
  })()
  return rest.reduce<Iterable<Doc>>((input, stage) => stage(input), documents)
}

interface NamedStage {
  name: string
  operand: Value
}

const STAGES: Readonly<Partial<Record<string, (stage: NamedStage) => Stage>>> = {
  $match: stage => {
    const filter = parseFilter(documentOf(stage))
    return function* (input) {
      for (const document of input) if (matches(filter, document)) yield document
    }
  },
  $unwind: unwind,
  $group: group,
}

function refuse({ name }: NamedStage): never {
  throw unsupported(`The stage ${name} at this place`)
}

function stageOf(stage: Value): NamedStage {
  const [name, ...others] = isDoc(stage) ? namesOf(stage) : []
  if (isDoc(stage) && name?.startsWith('$') && others.length === 0)
    return { name, operand: field(stage, name) as Value }
  throw new CommandError(
    'FailedToParse',
    'A pipeline stage specification object must contain exactly one field.',
  )
}

function documentOf({ name, operand }: NamedStage): Doc {
  if (isDoc(operand)) return operand
  throw new CommandError('FailedToParse', `the ${name} specification must be an object`)
}

function limitOf({ operand }: NamedStage): number {
  const limit = isNumeric(operand) ? toNumber(operand) : 0
  if (Number.isInteger(limit) && limit > 0) return limit
  throw new CommandError('BadValue', 'the limit must be a positive whole number')
}

function unwind(stage: NamedStage): Stage {
  const { path, preserveNullAndEmptyArrays, ...others } = plain(documentOf(stage))
  if (typeof path !== 'string' || !path.startsWith('$') || Object.keys(others).length > 0) {
    throw unsupported('An $unwind with other options than path and preserveNullAndEmptyArrays')
  }
  const parts = path.slice(1).split('.')
  const keepsEmpty = isTruthy(preserveNullAndEmptyArrays)
  return function* (input) {
    for (const document of input) {
      const value = valueAt(document, parts)
      const place = (element: Maybe) => changed(document, { parts, apply: () => element, creates: false })
      if (Array.isArray(value) && value.length > 0) for (const element of value) yield place(element)
      else if (Array.isArray(value)) {
        if (keepsEmpty) yield place(undefined)
      } else if (keepsEmpty || (value !== undefined && value !== null)) yield document
    }
  }
}

function valueAt(document: Doc, parts: readonly string[]): Maybe {
  let value: Maybe = document
  for (const part of parts) value = isDoc(value) ? field(value, part) : undefined
  return value
}

/** What one field of a `$group` makes of what it had before, if anything, and the next value. */
type Accumulate = (before: Maybe, value: Maybe) => Maybe

const ACCUMULATORS: Readonly<Partial<Record<string, Accumulate>>> = {
  $sum: (before, value) => sum((before as Numeric | undefined) ?? new Int32(0), value),
  $min: (before, value) => extreme([before, value], -1),
  $max: (before, value) => extreme([before, value], 1),
  $first: (before, value) => (before === undefined ? (value ?? null) : before),
}

/** Adds what is a number. Fractions are refused: MongoDB carries the error of each addition along. */
function sum(total: Numeric, value: Maybe): Numeric {
  if (!isNumeric(value)) return total
  if (value instanceof Double && !Number.isSafeInteger(value.value)) throw unsupported('A fraction in $sum')
  return arithmetic(total, '+', value)
}

function group(stage: NamedStage): Stage {
  const { _id, ...gathered } = plain(documentOf(stage))
  if (_id === undefined) throw new CommandError('FailedToParse', 'a group specification must include an _id')
  const id = compileExpression(_id)
  const fields = fieldsOf(gathered).map(([name, spec]) => ({ name, ...accumulatorOf(name, spec) }))
  return input => {
    const groups = new Map<string, { id: Value; values: Maybe[] }>()
    for (const document of input) {
      const value = id(document) ?? null
      const key = orderKey(value)
      const found = groups.get(key) ?? { id: value, values: [] }
      groups.set(key, found)
      for (const [at, { accumulate, expression }] of fields.entries()) {
        found.values[at] = accumulate(found.values[at], expression(document))
      }
    }
    return Array.from(groups.values(), ({ id, values }) =>
      docOf([['_id', id], ...fields.map(({ name }, at): [string, Value] => [name, values[at] ?? null])]),
    )
  }
}

function accumulatorOf(name: string, spec: Value): { accumulate: Accumulate; expression: Expression } {
  const [operator = '', ...others] = isDoc(spec) ? namesOf(spec) : []
  const accumulate = operator.startsWith('$') ? ACCUMULATORS[operator] : undefined
  if (!isDoc(spec) || !accumulate || others.length > 0 || name.includes('.')) {
    throw unsupported(`The accumulator ${name}: ${[operator, ...others]}`)
  }
  return { accumulate, expression: compileExpression(field(spec, operator) as Value) }
}
