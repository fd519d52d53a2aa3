import { unsupported } from '../errors.js'
import { Options } from '../options.js'
import type { Execution } from '../query.js'
import { field, namesOf, withField } from '../values.js'
import { aggregate, aggregatePipeline } from './aggregate.js'
import { type Command, type Request, readable } from './command.js'
import { findCommands, findExecution } from './find.js'

/** What a `find` or an `aggregate` reads: it is run, and what it examined is counted. */
export const explain: Command = {
  fields: ['explain', 'verbosity'],
  run: request => {
    const { options, database } = request
    const command = options.document('explain') ?? {}
    const verbosity = options.string('verbosity')
    if (verbosity !== 'executionStats') throw unsupported(`The verbosity '${verbosity}' of explain`)
    const [name = ''] = namesOf(command)
    const handler = { find: findCommands.find, aggregate }[name]
    if (!handler) throw unsupported(`explain of '${name}'`)
    const inner = {
      ...request,
      target: field(command, name),
      options: new Options(name, command, handler.fields ?? []),
    }
    const explained = name === 'find' ? explainQuery(findExecution(inner), inner) : explainPipeline(inner)
    return { ...explained, ok: 1, command: withField(command, '$db', database) }
  },
}

function explainPipeline(request: Request): object {
  const { execution, restGiven } = aggregatePipeline(request)
  const query = explainQuery(execution, request)
  return restGiven.length === 0 ? query : { stages: [{ $cursor: query }, ...restGiven] }
}

function explainQuery(execution: Execution, request: Request): object {
  const nReturned = [...execution.run()].length
  const { keys, documents } = execution.effort
  return {
    explainVersion: '1',
    queryPlanner: {
      namespace: readable(request).namespace,
      winningPlan: stagesOf(execution),
      rejectedPlans: [],
    },
    executionStats: {
      executionSuccess: true,
      nReturned,
      totalKeysExamined: keys,
      totalDocsExamined: documents,
    },
  }
}

function stagesOf({ plan, query, sort }: Execution): object {
  const { index, merged, sorted } = plan
  const direction = plan.backward ? 'backward' : 'forward'
  let stage: object = { stage: 'COLLSCAN', direction }
  if (index) {
    // One stage for all scans of the index, which are alike but for their bounds.
    const scan = { stage: 'IXSCAN', keyPattern: index.spec.key, indexName: index.spec.name, direction }
    stage = { stage: 'FETCH', inputStage: merged ? { stage: 'SORT_MERGE', inputStage: scan } : scan }
  }
  if (!sorted) {
    const sortPattern = Object.fromEntries(sort.map(({ path, direction }) => [path, direction]))
    stage = { stage: 'SORT', sortPattern, inputStage: stage }
  }
  if (query.skip) stage = { stage: 'SKIP', skipAmount: query.skip, inputStage: stage }
  if (query.limit) stage = { stage: 'LIMIT', limitAmount: query.limit, inputStage: stage }
  return stage
}
