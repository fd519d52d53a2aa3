import type { Index } from '../collection.js'
import { CommandError } from '../errors.js'
import { Options } from '../options.js'
import type { Plan } from '../planner.js'
import { Execution } from '../query.js'
import { field, isDoc, namesOf, plain, withField } from '../values.js'
import { aggregatePipeline } from './aggregate.js'
import { type Command, deadlineOf, type Request, readable } from './command.js'
import { filterExecution, findExecution } from './find.js'

const VERBOSITIES = ['queryPlanner', 'executionStats', 'allPlansExecution']

/** The query that each command runs, built the way the command builds it. */
const EXPLAINED: Readonly<Record<string, (request: Request) => Execution>> = {
  find: findExecution,
  count: filterExecution,
  distinct: filterExecution,
  update: request => statementExecution(request, 'updates'),
  delete: request => statementExecution(request, 'deletes'),
  findAndModify: findAndModifyExecution,
  findandmodify: findAndModifyExecution,
}

export const explain: Command = {
  fields: ['explain', 'verbosity'],
  run: request => {
    const { options, database } = request
    const command = options.document('explain') ?? {}
    const verbosity = options.string('verbosity') ?? 'allPlansExecution'
    if (!VERBOSITIES.includes(verbosity)) {
      throw new CommandError('FailedToParse', `verbosity string must be one of ${VERBOSITIES.join(', ')}`)
    }
    const [name = ''] = namesOf(command)
    const inner: Request = {
      ...request,
      target: field(command, name),
      options: new Options(name, command, namesOf(command)),
    }
    const runs = verbosity !== 'queryPlanner'
    const answered = { ok: 1, command: withField(command, '$db', database) }
    if (name === 'aggregate') return { ...explainPipeline(inner, runs), ...answered }
    const build = EXPLAINED[name]
    if (!build) throw new CommandError('CommandNotFound', `Explain failed due to unknown command: ${name}`)
    return { ...explainQuery(build(inner), readable(inner).namespace, runs), ...answered }
  },
}

function explainPipeline(request: Request, runs: boolean): object {
  const { execution, restGiven } = aggregatePipeline(request)
  const { namespace } = readable(request)
  const query = explainQuery(execution, namespace, runs)
  return restGiven.length === 0 ? query : { stages: [{ $cursor: query }, ...restGiven] }
}

function explainQuery(execution: Execution, namespace: string, runs: boolean): object {
  const plan = { explainVersion: '1', ...planOf(execution, namespace) }
  if (!runs) return plan
  const started = Date.now()
  const nReturned = [...execution.run()].length
  const { keys, documents } = execution.effort
  const executionStats = {
    executionSuccess: true,
    nReturned,
    executionTimeMillis: Date.now() - started,
    totalKeysExamined: keys,
    totalDocsExamined: documents,
  }
  return { ...plan, executionStats }
}

function planOf({ plan, sort, query }: Execution, namespace: string): object {
  const { index, sorted } = plan
  const direction = plan.backward ? 'backward' : 'forward'
  let stage: object = index
    ? { stage: 'FETCH', filter: query.filter, inputStage: indexStageOf(plan, index, direction) }
    : { stage: 'COLLSCAN', filter: query.filter, direction }
  if (!sorted) {
    const sortPattern = Object.fromEntries(sort.map(({ path, direction }) => [path, direction]))
    stage = { stage: 'SORT', sortPattern, inputStage: stage }
  }
  if (query.skip) stage = { stage: 'SKIP', skipAmount: query.skip, inputStage: stage }
  if (query.limit) stage = { stage: 'LIMIT', limitAmount: query.limit, inputStage: stage }
  return { queryPlanner: { namespace, winningPlan: stage, rejectedPlans: [] } }
}

/** One stage for all scans of the index, which are alike but for their bounds. */
function indexStageOf({ merged }: Plan, { spec, multikey }: Index, direction: string): object {
  const scan = {
    stage: 'IXSCAN',
    keyPattern: spec.key,
    indexName: spec.name,
    isMultiKey: multikey.includes(true),
    isUnique: spec.unique,
    isSparse: spec.sparse,
    isPartial: spec.partial !== undefined,
    direction,
  }
  return merged ? { stage: 'SORT_MERGE', inputStage: scan } : scan
}

function statementExecution(request: Request, name: string): Execution {
  const [statement = {}] = request.options.documents(name)
  const { q, multi, limit, hint } = plain(statement)
  const one = name === 'updates' ? multi !== true : Number(limit) === 1
  return new Execution(readable(request), {
    filter: isDoc(q) ? q : {},
    limit: one ? 1 : 0,
    hint,
    deadline: deadlineOf(request),
  })
}

function findAndModifyExecution(request: Request): Execution {
  const { options } = request
  return new Execution(readable(request), {
    filter: options.document('query') ?? {},
    sort: options.document('sort'),
    limit: 1,
    hint: options.value('hint'),
    deadline: deadlineOf(request),
  })
}
