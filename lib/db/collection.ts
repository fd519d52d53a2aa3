import type { Collection, CreateIndexesOptions, Document, IndexSpecification } from 'mongodb'
import type { z } from 'zod'
import { database } from './client.js'
import { unavailable } from './errors.js'
import { retryOnNetworkError } from './network-retry.js'

/** An index as data. Names are given, not generated: drift between code and database is compared by name. */
export interface IndexDefinition
  extends Pick<CreateIndexesOptions, 'unique' | 'sparse' | 'partialFilterExpression' | 'expireAfterSeconds'> {
  name: string
  key: IndexSpecification & Record<string, 1 | -1>
}

export interface DefinedCollection<T extends Document> {
  readonly name: string
  /** What a stored document looks like. Fixtures and migrations parse through it; reads do not. */
  readonly schema: z.ZodType<T>
  readonly indexes: readonly IndexDefinition[]
  /**
   * For reads, and for writes that their `_id` alone keeps single: sees to the indexes in the background, unless
   * `ensureIndexesOnOpen(false)`.
   *
   * @throws {AppError} `unavailable` while the database is away.
   */
  open(): Promise<Collection<T>>
  /**
   * For writes that rely on a unique index: waits until it is there, and takes none while it cannot be built.
   *
   * @throws {AppError} `unavailable` while the database is away or the index cannot be built.
   */
  openGuarded(): Promise<Collection<T>>
  /**
   * Creates what is missing, at most once a process; a failure is retried by the next call. Never drops.
   *
   * @throws what MongoDB says of an index that cannot be built.
   */
  ensureIndexes(): Promise<void>
}

let ensuresOnOpen = true

/** Whether `open` sees to the indexes, as it does unless this is called: a script that may only read makes none. */
export function ensureIndexesOnOpen(enabled: boolean): void {
  ensuresOnOpen = enabled
}

/** Declares a collection: its name, the schema of its documents and its indexes, which are ensured lazily. */
export function collection<T extends Document>(definition: {
  name: string
  schema: z.ZodType<T>
  indexes: readonly IndexDefinition[]
}): DefinedCollection<T> {
  const { name, indexes } = definition
  let ensured: Promise<void> | undefined

  async function createMissing(): Promise<void> {
    if (indexes.length === 0) return
    const db = await database()
    await retryOnNetworkError(() => db.collection(name).createIndexes(indexes.map(index => ({ ...index }))))
  }

  function ensureIndexes(): Promise<void> {
    ensured ??= createMissing().catch(error => {
      ensured = undefined
      throw error
    })
    return ensured
  }

  async function open(): Promise<Collection<T>> {
    // A failure is not this request's: the next use tries again, and `/api/health` says so.
    if (ensuresOnOpen) ensureIndexes().catch(() => {})
    return (await database()).collection<T>(name)
  }

  async function openGuarded(): Promise<Collection<T>> {
    await ensureIndexes().catch(cause => Promise.reject(unavailable(cause)))
    return open()
  }

  return { ...definition, open, openGuarded, ensureIndexes }
}
