import { Int32, Long } from 'mongodb'
import type { Result } from '../cursors.js'
import { CommandError } from '../errors.js'
import { indexKeys, readKeyField } from '../index-keys.js'
import { orderKey } from '../order.js'
import { compileProjection } from '../projection.js'
import { Execution } from '../query.js'
import type { Doc, Value } from '../values.js'
import { type Command, type Request, readable } from './command.js'

/** A `find` as a query to be run or explained. */
export function findExecution(request: Request): Execution {
  const { options } = request
  return new Execution(readable(request), {
    filter: options.document('filter') ?? {},
    sort: options.document('sort'),
    skip: options.count('skip'),
    limit: options.count('limit'),
  })
}

const find: Command = {
  fields: ['find', 'filter', 'sort', 'skip', 'limit', 'batchSize', 'singleBatch', 'projection'],
  run: request => {
    const { options, cursors } = request
    const project = compileProjection(options.document('projection'))
    const results = projected(findExecution(request), project)
    const { namespace } = readable(request)
    return cursors.start(namespace, results, options.count('batchSize'), options.flag('singleBatch'))
  },
}

function* projected(execution: Execution, project: (document: Doc) => Doc): Generator<Result> {
  for (const { document, bytes } of execution.run()) yield { document: project(document), bytes }
}

const getMore: Command = {
  fields: ['getMore', 'collection', 'batchSize'],
  run: ({ target, database, options, cursors }) => {
    if (!(target instanceof Long))
      throw new CommandError('TypeMismatch', 'getMore takes a cursor id of type long')
    return cursors.more(target, `${database}.${options.string('collection')}`, options.count('batchSize'))
  },
}

const killCursors: Command = {
  fields: ['killCursors', 'cursors'],
  run: ({ options, cursors }) =>
    cursors.kill((options.array('cursors') ?? []).filter(id => id instanceof Long)),
}

/** The driver's estimatedDocumentCount: all there are. */
const count: Command = {
  fields: ['count'],
  run: request => ({ n: readable(request).entries.size, ok: 1 }),
}

const distinct: Command = {
  fields: ['distinct', 'key', 'query'],
  run: request => {
    const { options } = request
    const path = readKeyField(options.string('key') ?? '', new Int32(1))
    const values = new Map<string, Value>()
    for (const { document } of new Execution(readable(request), {
      filter: options.document('query') ?? {},
    }).run()) {
      // An array stands for its elements, as in an index.
      for (const [value] of indexKeys(document, [path])) {
        if (value === undefined || typeof value === 'symbol') continue
        const key = orderKey(value)
        if (!values.has(key)) values.set(key, value)
      }
    }
    return { values: [...values.values()], ok: 1 }
  },
}

export const findCommands = { find, getMore, killCursors, count, distinct }
