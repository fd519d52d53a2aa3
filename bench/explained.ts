import { BSON, type Document } from 'mongodb'
import type { BenchDatabase } from './database.js'
import type { Recording } from './replay/recording.js'
import type { Recorded } from './servers/recorder.js'

const QUERIES = new Set(['find', 'aggregate'])

/**
 * What each query of a recorded request reads, for people to read, as the database explains it: exact, however busy
 * the machine is. Undefined where the database says nothing of it.
 */
export async function explained(
  { db }: BenchDatabase,
  { recordings }: Recorded,
): Promise<string | undefined> {
  const [recording]: Recording[] = BSON.EJSON.parse(recordings, { relaxed: true })
  const queries = (recording?.commands ?? []).filter(({ name }) => QUERIES.has(name))
  const costs: string[] = []
  for (const { name, collection, command } of queries) {
    const answer = await db.command({ explain: command, verbosity: 'executionStats' })
    const { queryPlanner, executionStats } = answer.stages?.[0]?.$cursor ?? answer
    if (executionStats === undefined) return undefined
    const { totalKeysExamined: keys, totalDocsExamined: documents } = executionStats
    const read = `${keys.toLocaleString('en')} keys and ${documents.toLocaleString('en')} documents`
    costs.push(`${collection}.${name} ${read} (${indexOf(queryPlanner.winningPlan) ?? 'no index'})`)
  }
  return costs.join(', ')
}

function indexOf(stage: Document | undefined): string | undefined {
  return stage && (stage.indexName ?? indexOf(stage.inputStage ?? stage.inputStages?.[0]))
}
