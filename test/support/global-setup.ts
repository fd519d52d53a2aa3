import type { TestProject } from 'vitest/node'
import { newRunId } from './database-name.js'
import { type DatabaseServerKind, startDatabaseServer } from './database-server.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The deployment of this run; a worker gets its own database there from `testDatabase()`. */
    databaseServer: { runId: string; kind: DatabaseServerKind; uri: string }
  }
}

/** Starts the database of a run once, for all workers, and says which one it is. */
export default async function setUpRun(project: TestProject): Promise<() => Promise<void>> {
  const runId = newRunId()
  const { kind, uri, description, close } = await startDatabaseServer(runId, process.env)
  console.log(`test database: ${description}`)
  project.provide('databaseServer', { runId, kind, uri })
  return close
}
