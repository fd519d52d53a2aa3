import { AppError } from '../errors.js'
import { withTimeout } from '../with-timeout.js'
import { translateDatabaseError } from './errors.js'

/**
 * The result, or undefined if the database is unavailable or too slow. The operation is not cancelled.
 *
 * @param milliseconds without it: as long as the client waits for the database.
 */
export async function patiently<T>(asking: Promise<T>, milliseconds?: number): Promise<T | undefined> {
  try {
    return await (milliseconds === undefined ? asking : withTimeout(milliseconds, asking))
  } catch (error) {
    if (translateDatabaseError(error) instanceof AppError) return undefined
    throw error
  }
}
