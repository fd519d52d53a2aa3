import { Int32, Long } from 'mongodb'
import { compileAccumulator } from './accumulators.js'
import { CommandError, unsupported } from './errors.js'
import { type Context, compileExpression, declare } from './expression/expression.js'
import { compare, orderKey } from './order.js'
import { matches, parseFilter } from './predicate.js'
import { compileAddFields, compileProjectStage, compileUnset } from './projection.js'
import { parseSort, sortBy, sortKey } from './sort.js'
import { changed } from './update-path.js'
import {
  type Doc,
  docOf,
  field,
  fieldsOf,
  fromInteger,
  idOf,
  isDoc,
  isNumeric,
  isTruthy,
  type Maybe,
  namesOf,
  plain,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

/** One step of a pipeline. It may be run more than once, for instance within a `$lookup`. */
export type Stage = (input: Iterable<Doc>) => Iterable<Doc>

type Read = (operand: Value, context: Context) => Stage

/** The stages that need nothing but the documents before them. */
export const STAGES: Readonly<Record<string, Read>> = {
  $match: (operand, context) => {
    const filter = parseFilter(documentOf('$match', operand), context)
    return input => keep(input, document => matches(filter, document))
  },
  $project: (operand, context) => each(compileProjectStage(documentOf('$project', operand), context)),
  $addFields: (operand, context) => each(compileAddFields(documentOf('$addFields', operand), context)),
  $set: (operand, context) => each(compileAddFields(documentOf('$set', operand), context)),
  $unset: operand => each(compileUnset(pathsOf(operand))),
  $replaceRoot: (operand, context) => {
    return replaceRoot(field(documentOf('$replaceRoot', operand), 'newRoot') as Value, context)
  },
  $replaceWith: replaceRoot,
  $sort: operand => {
    const sort = parseSort(documentOf('$sort', operand))
    if (sort.length === 0) throw new CommandError(15976, '$sort stage must have at least one sort key')
    return input => sortBy(input, document => sortKey(document, sort))
  },
  $limit: operand => {
    const limit = countOf('$limit', operand)
    if (limit === 0) throw new CommandError(15958, 'the limit must be positive')
    return input => first(input, limit)
  },
  $skip: operand => {
    const skip = countOf('$skip', operand)
    return input => after(input, skip)
  },
  $unwind: unwind,
  $group: group,
  $count: operand => {
    if (typeof operand !== 'string' || operand === '' || /^\$|\./.test(operand)) {
      throw new CommandError(
        40156,
        'the count field must be a non-empty string without $ at its start or a dot',
      )
    }
    return input => {
      const count = [...input].length
      return count === 0 ? [] : [{ [operand]: fromInteger(count) }]
    }
  },
  $sortByCount: (operand, context) => {
    const grouped = group({ _id: operand, count: { $sum: new Int32(1) } }, context)
    return input =>
      [...grouped(input)].sort((one, other) => compare(field(other, 'count'), field(one, 'count')))
  },
  $bucket: bucket,
}

/** What a stage is given for, read from the one field of its document. */
export function stageOf(stage: Value): [name: string, operand: Value] {
  const [name, ...others] = isDoc(stage) ? namesOf(stage) : []
  if (!isDoc(stage) || name === undefined || others.length > 0) {
    throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.')
  }
  return [name, field(stage, name) as Value]
}

export function refuseStage(name: string): never {
  if (/^\$[a-zA-Z]+$/.test(name)) throw unsupported(`The stage ${name}`)
  throw new CommandError(40324, `Unrecognized pipeline stage name: '${name}'`)
}

export function documentOf(stage: string, operand: Value): Doc {
  if (isDoc(operand)) return operand
  throw new CommandError(15959, `the ${stage} specification must be an object`)
}

export function countOf(stage: string, operand: Value): number {
  const count = isNumeric(operand) ? toNumber(operand) : Number.NaN
  if (Number.isInteger(count) && count >= 0) return count
  throw new CommandError(
    stage === '$skip' ? 5107200 : 5107201,
    `invalid argument to ${stage} stage: Expected a non-negative number`,
  )
}

function each(transform: (document: Doc) => Doc): Stage {
  return function* (input) {
    for (const document of input) yield transform(document)
  }
}

function* keep(input: Iterable<Doc>, wanted: (document: Doc) => boolean): Generator<Doc> {
  for (const document of input) if (wanted(document)) yield document
}

function* first(input: Iterable<Doc>, limit: number): Generator<Doc> {
  let given = 0
  for (const document of input) {
    yield document
    if (++given >= limit) return
  }
}

function* after(input: Iterable<Doc>, skip: number): Generator<Doc> {
  let seen = 0
  for (const document of input) if (seen++ >= skip) yield document
}

function pathsOf(operand: Value): string[] {
  const paths = Array.isArray(operand) ? operand : [operand]
  if (
    paths.length > 0 &&
    paths.every(path => typeof path === 'string' && path !== '' && !path.startsWith('$'))
  ) {
    return paths as string[]
  }
  throw new CommandError(31002, '$unset specification must be a string or an array of field paths')
}

function replaceRoot(operand: Value, context: Context): Stage {
  const expression = compileExpression(operand, context)
  return each(document => {
    const root = expression(document)
    if (isDoc(root)) return root
    const reason = `'newRoot' expression must evaluate to an object, but resulting value was of type: ${root === undefined ? 'missing' : typeOf(root)}`
    throw new CommandError(40228, reason)
  })
}

function unwind(operand: Value): Stage {
  const spec = plain(typeof operand === 'string' ? { path: operand } : documentOf('$unwind', operand))
  const strange = Object.keys(spec).find(
    name => !['path', 'includeArrayIndex', 'preserveNullAndEmptyArrays'].includes(name),
  )
  if (strange !== undefined) throw new CommandError(28811, `unrecognized option to $unwind stage: ${strange}`)
  const { path, includeArrayIndex, preserveNullAndEmptyArrays } = spec
  if (typeof path !== 'string' || !path.startsWith('$')) {
    throw new CommandError(28818, 'path option to $unwind stage should be prefixed with a $')
  }
  const parts = path.slice(1).split('.')
  const keepsEmpty = isTruthy(preserveNullAndEmptyArrays)
  const place = (document: Doc, value: Maybe, index: Value) => {
    const next = changed(document, { parts, apply: () => value, creates: value !== undefined })
    if (includeArrayIndex === undefined) return next
    return changed(next, { parts: String(includeArrayIndex).split('.'), apply: () => index, creates: true })
  }
  return function* (input) {
    for (const document of input) {
      const value = valueAt(document, parts)
      if (Array.isArray(value) && value.length > 0) {
        for (const [index, element] of value.entries()) yield place(document, element, Long.fromNumber(index))
      } else if (keepsEmpty || (value !== undefined && value !== null && !Array.isArray(value))) {
        yield place(document, Array.isArray(value) ? undefined : value, null)
      }
    }
  }
}

function valueAt(document: Doc, parts: readonly string[]): Maybe {
  let value: Maybe = document
  for (const part of parts) value = isDoc(value) ? field(value, part) : undefined
  return value
}

function group(operand: Value, context: Context): Stage {
  const spec = documentOf('$group', operand)
  const idSpec = field(spec, '_id')
  if (idSpec === undefined) throw new CommandError(15955, 'a group specification must include an _id')
  const id = compileExpression(idSpec, context)
  const accumulators = fieldsOf(spec)
    .filter(([name]) => name !== '_id')
    .map(([name, value]) => {
      if (name.includes('.')) throw new CommandError(40235, `The field name '${name}' cannot contain '.'`)
      return compileAccumulator(name, value, context)
    })
  return input => {
    const groups = new Map<
      string,
      { id: Value; gatherings: ReturnType<(typeof accumulators)[0]['start']>[] }
    >()
    for (const document of input) {
      const value = id(document) ?? null
      const key = orderKey(value)
      let found = groups.get(key)
      if (!found) {
        found = { id: value, gatherings: accumulators.map(({ start }) => start()) }
        groups.set(key, found)
      }
      for (const [index, accumulator] of accumulators.entries()) {
        found.gatherings[index]?.add(accumulator.value(document))
      }
    }
    return Array.from(groups.values(), ({ id, gatherings }) => {
      const gathered = gatherings.map((gathering, index): [string, Value] => {
        return [accumulators[index]?.name as string, gathering.result() ?? null]
      })
      return docOf([['_id', id], ...gathered])
    })
  }
}

function bucket(operand: Value, context: Context): Stage {
  const { groupBy, boundaries, default: fallback, output, ...others } = plain(documentOf('$bucket', operand))
  const [strange] = Object.keys(others)
  if (strange !== undefined) throw new CommandError(40197, `Unrecognized option to $bucket: ${strange}`)
  const bounds = Array.isArray(boundaries) ? boundaries : []
  if (groupBy === undefined || bounds.length < 2) {
    throw new CommandError(40198, '$bucket requires groupBy and at least two boundaries')
  }
  if (bounds.some((bound, index) => index > 0 && compare(bounds[index - 1], bound) >= 0)) {
    throw new CommandError(40194, 'The $bucket boundaries must be in ascending order')
  }
  const by = compileExpression(groupBy, context)
  const bucketOf = (document: Doc): Value => {
    const value = by(document)
    const index = bounds.findLastIndex(bound => compare(bound, value) <= 0)
    if (index >= 0 && index < bounds.length - 1) return bounds[index] as Value
    if (fallback !== undefined) return fallback
    throw new CommandError(40066, '$bucket found a value outside of the boundaries, and there is no default')
  }
  const variable = declare(context, 'bucket')
  const fields = (output as Doc | undefined) ?? { count: { $sum: new Int32(1) } }
  const grouped = group({ _id: '$$bucket', ...plain(fields) }, variable.inner)
  const assigned = each(document => {
    variable.assign(bucketOf(document))
    return document
  })
  return input => [...grouped(assigned(input))].sort((one, other) => compare(idOf(one), idOf(other)))
}
