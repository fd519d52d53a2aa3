import { randomBytes } from 'node:crypto'
import { withDatabaseName } from '../../scripts/support/database-uri.js'

const PREFIX = 'leadline-test'

/** Names one run of the tests: when it started (base 36, so that names sort by age) and a random part. */
export function newRunId(): string {
  return Date.now().toString(36) + randomBytes(3).toString('hex')
}

/** The database of one worker of one run. Two runs on one server, or two workers, never share one. */
export function databaseName(runId: string, workerId: string): string {
  const name = `${PREFIX}-${runId}-${workerId}`
  if (!isDatabaseOf(runId, name)) throw new Error(`'${name}' is not a name for a test database`)
  return name
}

/** Whether this run made up that name: everything that empties or drops a database asks first. */
export function isDatabaseOf(runId: string, name: string): boolean {
  return /^[a-z0-9]{8,}$/.test(runId) && new RegExp(`^${PREFIX}-${runId}-[0-9]{1,4}$`).test(name)
}

/**
 * The database of this worker process. Vitest numbers the places of its pool, and gives a place to the next test
 * file only after the one before has ended: files that share a database never run at the same time.
 */
export function workerDatabase({ runId, uris }: { runId: string; uris: readonly string[] }): {
  name: string
  uri: string
} {
  const worker = process.env.VITEST_POOL_ID ?? ''
  const name = databaseName(runId, worker)
  return { name, uri: withDatabaseName(uris[Number(worker) % uris.length] ?? '', name) }
}
