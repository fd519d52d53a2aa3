import { Long } from 'mongodb'
import type { Result } from '../cursors.js'
import { CommandError } from '../errors.js'
import { orderKey } from '../order.js'
import { compileProjection } from '../projection.js'
import { Execution, type Query } from '../query.js'
import { type Doc, field, isDoc, type Maybe, namesOf, type Value } from '../values.js'
import { type Command, collectionName, deadlineOf, type Request, readable } from './command.js'

/** A `find` as a query to be run or explained. */
export function findExecution(request: Request): Execution {
  const { options } = request
  return new Execution(readable(request), {
    ...commonQuery(request),
    filter: options.document('filter') ?? {},
    sort: options.document('sort'),
  })
}

function commonQuery(request: Request): Query {
  const { options } = request
  return {
    filter: options.document('query') ?? {},
    skip: options.count('skip'),
    limit: options.count('limit'),
    hint: options.value('hint'),
    deadline: deadlineOf(request),
  }
}

const find: Command = {
  fields: [
    'find',
    'filter',
    'sort',
    'skip',
    'limit',
    'batchSize',
    'singleBatch',
    'projection',
    'hint',
    'allowDiskUse',
    'allowPartialResults',
    'noCursorTimeout',
  ],
  run: request => {
    const { options, database, cursors } = request
    const namespace = `${database}.${collectionName(request)}`
    const project = compileProjection(options.document('projection'))
    const results = projected(findExecution(request), project)
    return cursors.start(namespace, results, options.count('batchSize'), options.flag('singleBatch'))
  },
}

function* projected(execution: Execution, project: (document: Doc) => Doc): Generator<Result> {
  for (const { entry } of execution.run()) yield { document: project(entry.document), bytes: entry.bytes }
}

const getMore: Command = {
  fields: ['getMore', 'collection', 'batchSize'],
  run: ({ target, database, options, cursors }) => {
    if (!(target instanceof Long))
      throw new CommandError('TypeMismatch', 'getMore takes a cursor id of type long')
    const collection = options.required('collection')
    return cursors.more(target, `${database}.${String(collection)}`, options.count('batchSize'))
  },
}

const killCursors: Command = {
  fields: ['killCursors', 'cursors'],
  run: ({ options, cursors }) => {
    return cursors.kill((options.array('cursors') ?? []).filter(id => id instanceof Long))
  },
}

/** What `count` and `distinct` look through. */
export function filterExecution(request: Request): Execution {
  return new Execution(readable(request), commonQuery(request))
}

const count: Command = {
  fields: ['count', 'query', 'skip', 'limit', 'hint', 'fields'],
  run: request => {
    const filter = request.options.document('query')
    const { skip, limit } = commonQuery(request)
    // The driver's estimatedDocumentCount; the number is known without a look at any document.
    if (!filter || namesOf(filter).length === 0) {
      const all = Math.max(0, readable(request).entries.size - (skip ?? 0))
      return { n: limit ? Math.min(all, limit) : all, ok: 1 }
    }
    let n = 0
    for (const _ of filterExecution(request).run()) n++
    return { n, ok: 1 }
  },
}

const distinct: Command = {
  fields: ['distinct', 'key', 'query', 'hint'],
  run: request => {
    const key = request.options.string('key')
    if (!key)
      throw new CommandError('IDLFailedToParse', "BSON field 'distinct.key' is missing but a required field")
    const values = new Map<string, Value>()
    for (const { entry } of filterExecution(request).run()) {
      for (const value of valuesAt(entry.document, key.split('.'), 0)) {
        const place = orderKey(value)
        if (!values.has(place)) values.set(place, value)
      }
    }
    return { values: [...values.values()], ok: 1 }
  },
}

/** The values that `distinct` sees at a path: through arrays, an array at the end standing for its elements. */
function* valuesAt(value: Maybe, parts: readonly string[], depth: number): Generator<Value> {
  if (Array.isArray(value)) {
    if (depth === parts.length) yield* value
    else {
      for (const element of value) if (isDoc(element)) yield* valuesAt(element, parts, depth)
      const index = Number(parts[depth])
      if (/^\d+$/.test(parts[depth] as string)) yield* valuesAt(value[index], parts, depth + 1)
    }
  } else if (depth === parts.length) {
    if (value !== undefined) yield value
  } else if (isDoc(value)) yield* valuesAt(field(value, parts[depth] as string), parts, depth + 1)
}

export const findCommands = { find, getMore, killCursors, count, distinct }
