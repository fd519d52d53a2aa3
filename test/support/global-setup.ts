import type { TestProject } from 'vitest/node'
import { buildScripts } from './built-scripts.js'
import { newRunId } from './database-name.js'
import { type DatabaseServerKind, startDatabaseServer } from './database-server.js'
import { installedRedisVersion } from './redis-server.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The deployment of this run; a worker gets its own database there from `testDatabase()`. */
    databaseServer: { runId: string; kind: DatabaseServerKind; uris: readonly string[] }
    /** The directory of what `buildScripts()` made. */
    built: string
    /** Whether tests can start a Redis of their own. */
    redisInstalled: boolean
  }
}

/**
 * Starts the database of a run, for all workers, and says which one it is, and whether there is a Redis to test.
 *
 * @throws {Error} when `TEST_REDIS=required` and there is none.
 */
export default async function setUpRun(project: TestProject): Promise<() => Promise<void>> {
  const redisVersion = installedRedisVersion()
  if (redisVersion === undefined && process.env.TEST_REDIS === 'required')
    throw new Error(
      'TEST_REDIS is required, but no redis-server is installed (Debian: apt-get install redis-server)',
    )
  const runId = newRunId()
  const built = await buildScripts()
  const embedded = { built: built.directory, workers: project.vitest.config.maxWorkers }
  const { kind, uris, description, close } = await startDatabaseServer(runId, process.env, embedded)
  console.log(`test database: ${description}`)
  console.log(
    redisVersion === undefined
      ? 'test Redis: none installed, so the tests of rate limits in Redis are skipped'
      : `test Redis: redis-server ${redisVersion}`,
  )
  project.provide('redisInstalled', redisVersion !== undefined)
  project.provide('databaseServer', { runId, kind, uris })
  project.provide('built', built.directory)
  return async () => {
    await close()
    await built.remove()
  }
}
