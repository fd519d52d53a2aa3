import { Collection } from '../collection.js'
import type { Cursors } from '../cursors.js'
import { CommandError } from '../errors.js'
import type { Options } from '../options.js'
import type { Store } from '../store.js'

/** What a command works with. */
export interface Request {
  /** The command's own value: a collection's name for most. */
  target: unknown
  database: string
  options: Options
  sequences: ReadonlyMap<string, Uint8Array[]>
  connectionId: number
  store: Store
  cursors: Cursors
}

export interface Command {
  /**
   * The fields it understands beside those that every command may carry; without them any, as a handshake may name
   * what is new.
   */
  fields?: readonly string[]
  run: (request: Request) => object
}

/** The name of the collection that a command is for. Throws InvalidNamespace (73). */
export function collectionName({ target, database }: Request): string {
  if (typeof target === 'string' && target !== '') return target
  throw new CommandError('InvalidNamespace', `Invalid namespace specified '${database}.${String(target)}'`)
}

/** The collection a command reads; an empty one where there is none, as MongoDB has it. */
export function readable(request: Request): Collection {
  const [{ store, database }, name] = [request, collectionName(request)]
  return store.find(database, name) ?? new Collection(`${database}.${name}`, undefined)
}
