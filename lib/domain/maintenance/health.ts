import { MongoServerError } from 'mongodb'
import { z } from 'zod'
import { database } from '../../db/client.js'
import { ConfigurationError, configurationWarnings, env } from '../../env.js'
import { AppError, type ErrorDetail } from '../../errors.js'
import { allCollections } from '../registry.js'

/** How long to wait before asking again whether a deployment is ready, in seconds. */
const RETRY_AFTER_SECONDS = 5

/** A deployment that can do its work, and what to mend in its configuration: names, never values. */
export const Health = z.object({
  live: z.literal(true),
  ready: z.literal(true),
  database: z.object({ state: z.literal('ok'), latencyMs: z.number() }),
  indexes: z.object({ state: z.literal('ok') }),
  warnings: z.array(z.string()),
})
export type Health = z.infer<typeof Health>

/**
 * Checks that the database answers and that every declared index could be made. A process asks for them until they are
 * there, and not again: that somebody dropped one since, `npm run doctor` tells.
 *
 * @throws {AppError} `unavailable` with a detail for each reason why not.
 */
export async function checkHealth(): Promise<Health> {
  const latencyMs = await pingMs()
  const failures = await ensureAllIndexes()
  if (failures.length > 0)
    throw notReady(
      failures.map(({ collection, reason }) => ({ path: `indexes.${collection}`, message: reason })),
    )
  return {
    live: true,
    ready: true,
    database: { state: 'ok', latencyMs },
    indexes: { state: 'ok' },
    warnings: configurationWarnings(env()),
  }
}

/**
 * Makes the indexes that are missing, in every collection, and returns the collections where one could not be
 * built. A function's own process sees to its own collections only: this is where the failure of any shows.
 */
export async function ensureAllIndexes(): Promise<{ collection: string; reason: string }[]> {
  const failures = await Promise.all(
    allCollections.map(({ name, ensureIndexes }) =>
      ensureIndexes().then(
        () => [],
        error => [{ collection: name, reason: reasonOf(error) }],
      ),
    ),
  )
  return failures.flat()
}

/** How long the database takes to answer, in milliseconds. */
async function pingMs(): Promise<number> {
  const startedAt = performance.now()
  try {
    const db = await database()
    await db.command({ ping: 1 })
    return Math.round((performance.now() - startedAt) * 10) / 10
  } catch (cause) {
    if (cause instanceof ConfigurationError)
      throw notReady([{ path: 'environment', message: 'is not valid' }], cause)
    const isMissing = cause instanceof AppError && cause.code === 'not_configured'
    const message = isMissing ? 'is not configured' : 'does not answer'
    throw notReady([{ path: 'database', message }], cause)
  }
}

function notReady(details: ErrorDetail[], cause?: unknown): AppError {
  const reasons = details.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new AppError('unavailable', `Not ready: ${reasons}.`, {
    details,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause,
  })
}

/** The kind of failure only: a message quotes the data that broke the index. */
function reasonOf(error: unknown): string {
  if (error instanceof MongoServerError) return error.codeName ?? `code ${error.code}`
  return error instanceof Error ? error.name : 'unknown'
}
