import type { RequestHandler } from 'express'
import mongoose from 'mongoose'

/**
 * As many connections and as safe writes as the product has; how long to wait for what is Mongoose's default. Indexes
 * and collections are there already: Mongoose's guide has them made ahead of a deployment, and not by every process.
 */
const OPTIONS: mongoose.ConnectOptions = {
  autoIndex: false,
  autoCreate: false,
  maxPoolSize: 10,
  maxIdleTimeMS: 5_000,
  writeConcern: { w: 'majority', journal: true },
}

let connecting: Promise<mongoose.Mongoose> | undefined

/** The one connection of this process; an attempt that failed is made again by the next call. */
export function connect(): Promise<mongoose.Mongoose> {
  connecting ??= mongoose.connect(process.env.MONGO_URI ?? '', OPTIONS).catch(error => {
    connecting = undefined
    throw error
  })
  return connecting
}

/** Has a request wait for the database. */
export const connected: RequestHandler = async (_request, _response, next) => {
  await connect()
  next()
}
