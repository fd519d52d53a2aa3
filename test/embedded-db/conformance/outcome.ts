import { BSON, type Db, type Document, MongoServerError } from 'mongodb'

/** Extended JSON that tells Int32, Long, Double and Decimal128 apart; read with `promoteValues: false`. */
export function typed(value: unknown): unknown {
  return BSON.EJSON.serialize(value as Document, { relaxed: false })
}

/** A driver's result without what says nothing (`acknowledged`) and what changes each time (an ObjectId). */
export function counts(result: Document): Document {
  const { matchedCount, modifiedCount, upsertedCount, deletedCount, insertedCount } = result
  return JSON.parse(
    JSON.stringify({ insertedCount, matchedCount, modifiedCount, upsertedCount, deletedCount }),
  ) as Document
}

/** The code a command failed with; a success, or an error that is not the server's, is shown as it is. */
export async function failure(attempt: Promise<unknown>): Promise<Document> {
  try {
    return { succeeded: await attempt }
  } catch (error) {
    return error instanceof MongoServerError ? { code: error.code } : { thrown: String(error) }
  }
}

/** As `failure`, of a command; a write command succeeds even where a statement of it failed: then that one's code. */
export async function commandFailure(db: Db, command: Document): Promise<Document> {
  const outcome = await failure(db.command(command))
  const [error] = (outcome.succeeded?.writeErrors ?? []) as Document[]
  return error === undefined ? outcome : { code: error.code }
}

/** As `failure`, with what a duplicate key error tells besides. */
export async function duplicate(attempt: Promise<unknown>): Promise<Document> {
  try {
    return { succeeded: await attempt }
  } catch (error) {
    if (!(error instanceof MongoServerError)) return { thrown: String(error) }
    const { code, keyPattern, keyValue } = error
    return { code, keyPattern, keyValue }
  }
}

/** Whether a command was refused with a code, by an error that names what is not supported. */
export async function refusal(attempt: Promise<unknown>, named: string): Promise<unknown> {
  try {
    return { succeeded: await attempt }
  } catch (error) {
    if (!(error instanceof MongoServerError) || typeof error.code !== 'number')
      return { thrown: String(error) }
    return error.message.includes(named) ? 'refused by name' : { refused: error.message }
  }
}
