import { MongoError, MongoNetworkError } from 'mongodb'
import { reasonOf } from './errors.js'

/**
 * Runs a write again whose connection was cut, for one that may be repeated. The driver repeats a write itself, but of
 * several that lose a primary's connections together only the first: it has marked the server as unknown by then, and
 * the others are taken for writes to a server that knows no retries. The making of indexes it never repeats.
 */
export function retryOnNetworkError<T>(write: () => Promise<T>): Promise<T> {
  return write().catch(error => {
    if (error instanceof MongoError && reasonOf(error) instanceof MongoNetworkError) return write()
    throw error
  })
}
