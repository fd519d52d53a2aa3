import mongoose from 'mongoose'

const DUPLICATE_KEY = 11000

/** What a write returns, or undefined where a unique index refused it. */
export function unlessTaken<T>(write: Promise<T>): Promise<T | undefined> {
  return write.catch(error => {
    if (error instanceof mongoose.mongo.MongoServerError && error.code === DUPLICATE_KEY) return undefined
    throw error
  })
}
