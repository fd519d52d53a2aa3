import { AppError } from '../errors.js'
import { withTimeout } from '../with-timeout.js'
import { translateDatabaseError } from './errors.js'

/**
 * What the database answers, or undefined where it is away or takes longer than that: for what can do without. The
 * question goes on; what becomes of it then is nobody's.
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
