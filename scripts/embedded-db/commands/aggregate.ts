import { BSON } from 'mongodb'
import type { Result } from '../cursors.js'
import { Options } from '../options.js'
import { type Pipeline, planPipeline, runPipeline } from '../pipeline.js'
import { type Command, type Request, readable } from './command.js'

/** An `aggregate` as a pipeline to be run or explained. */
export function aggregatePipeline(request: Request): Pipeline {
  return planPipeline(readable(request), request.options.documents('pipeline'))
}

export const aggregate: Command = {
  fields: ['aggregate', 'pipeline', 'cursor', 'allowDiskUse'],
  run: request => {
    const { options, cursors } = request
    const cursor = options.document('cursor') ?? {}
    const batchSize = new Options('aggregate.cursor', cursor, ['batchSize'], []).count('batchSize')
    return cursors.start(readable(request).namespace, sized(aggregatePipeline(request)), batchSize)
  },
}

function* sized(pipeline: Pipeline): Generator<Result> {
  for (const document of runPipeline(pipeline)) yield { document, bytes: BSON.calculateObjectSize(document) }
}
