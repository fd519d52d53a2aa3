import { MongoError, MongoNetworkError } from 'mongodb'
import { reasonOf } from './errors.js'

/**
 * Repeats an idempotent write once after a network error. When several writes lose their connections together the
 * driver retries only the first; index builds never.
 */
export function retryOnNetworkError<T>(write: () => Promise<T>): Promise<T> {
  return write().catch(error => {
    if (error instanceof MongoError && reasonOf(error) instanceof MongoNetworkError) return write()
    throw error
  })
}
