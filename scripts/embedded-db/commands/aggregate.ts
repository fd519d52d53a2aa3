import { BSON } from 'mongodb'
import type { Result } from '../cursors.js'
import { CommandError, unsupported } from '../errors.js'
import { newContext } from '../expression/expression.js'
import { Options } from '../options.js'
import { type Pipeline, planPipeline, runPipeline } from '../pipeline.js'
import { type Command, collectionName, deadlineOf, type Request, readable, readableNamed } from './command.js'

/** An `aggregate` as a pipeline to be run or explained. */
export function aggregatePipeline(request: Request): Pipeline {
  const { options, target } = request
  if (typeof target !== 'string') throw unsupported('An aggregation on a whole database')
  const stages = options.array('pipeline')
  if (!stages) throw new CommandError('TypeMismatch', "'pipeline' option must be specified as an array")
  return planPipeline(readable(request), stages, newContext(), name => readableNamed(request, name), {
    hint: options.value('hint'),
    deadline: deadlineOf(request),
  })
}

const aggregate: Command = {
  fields: ['aggregate', 'pipeline', 'cursor', 'allowDiskUse', 'hint', 'bypassDocumentValidation'],
  run: request => {
    const { options, database, cursors } = request
    const cursor = options.document('cursor')
    if (!cursor) {
      throw new CommandError(
        'FailedToParse',
        "The 'cursor' option is required, except for aggregate with the explain argument",
      )
    }
    const batchSize = new Options('aggregate.cursor', cursor, ['batchSize'], []).count('batchSize')
    const results = sized(aggregatePipeline(request))
    return cursors.start(`${database}.${collectionName(request)}`, results, batchSize)
  },
}

function* sized(pipeline: Pipeline): Generator<Result> {
  if (pipeline.rest.length === 0) {
    for (const { entry } of pipeline.execution.run()) yield { document: entry.document, bytes: entry.bytes }
    return
  }
  for (const document of runPipeline(pipeline)) {
    yield { document, bytes: BSON.calculateObjectSize(document) }
  }
}

export const aggregateCommands = { aggregate }
