import { type ChangeLog, Collection } from './collection.js'
import { CommandError, unsupported } from './errors.js'
import type { IndexSpec } from './index-spec.js'

/** All databases of the server. */
export class Store {
  private readonly databases = new Map<string, Map<string, Collection>>()

  constructor(private readonly log?: ChangeLog) {}

  databaseNames(): string[] {
    return [...this.databases.keys()].sort()
  }

  collectionsOf(database: string): Collection[] {
    return [...(this.databases.get(database)?.values() ?? [])]
  }

  find(database: string, name: string): Collection | undefined {
    return this.databases.get(database)?.get(name)
  }

  /** The collection, made now if it was not there. Throws InvalidNamespace (73). */
  ensure(database: string, name: string): Collection {
    const found = this.find(database, name)
    if (found) return found
    checkNamespace(database, name)
    const made = new Collection(`${database}.${name}`, this.log)
    const collections = this.databases.get(database) ?? new Map<string, Collection>()
    this.databases.set(database, collections.set(name, made))
    return made
  }

  drop(database: string, name: string): boolean {
    const collections = this.databases.get(database)
    const dropped = collections?.delete(name) === true
    if (collections?.size === 0) this.databases.delete(database)
    return dropped
  }

  dropDatabase(database: string): boolean {
    return this.databases.delete(database)
  }

  /** Builds all of the indexes or, where one cannot be built, none. Throws DuplicateKey. */
  addIndexes(collection: Collection, specs: readonly IndexSpec[]): void {
    const added: string[] = []
    try {
      for (const spec of specs) {
        collection.addIndex(spec)
        added.push(spec.name)
      }
    } catch (error) {
      for (const name of added) collection.indexes.delete(name)
      throw error
    }
  }

  dropIndexes(collection: Collection, names: readonly string[]): void {
    for (const name of names) collection.indexes.delete(name)
  }

  /** Gives a collection another name. Throws NamespaceNotFound and NamespaceExists. */
  rename(from: string, to: string, dropTarget: boolean): void {
    const [source, target] = [splitNamespace(from), splitNamespace(to)]
    const collection = this.find(...source)
    if (!collection) throw new CommandError('NamespaceNotFound', `Source collection ${from} does not exist`)
    if (source[0] !== target[0]) throw unsupported('Renaming a collection into another database')
    if (this.find(...target)) {
      if (!dropTarget) throw new CommandError('NamespaceExists', 'target namespace exists')
    }
    checkNamespace(...target)
    const collections = this.databases.get(source[0])
    collections?.delete(source[1])
    collections?.set(target[1], collection)
    collection.namespace = to
  }
}

function splitNamespace(namespace: string): [database: string, collection: string] {
  const dot = namespace.indexOf('.')
  return dot < 0 ? [namespace, ''] : [namespace.slice(0, dot), namespace.slice(dot + 1)]
}

function checkNamespace(database: string, name: string): void {
  const namespace = `${database}.${name}`
  const valid =
    /^[^/\\. "$*<>:|?\0]{1,63}$/.test(database) &&
    /^[^.$\0][^$\0]*$/.test(name) &&
    !name.startsWith('system.') &&
    Buffer.byteLength(namespace) <= 255
  if (!valid) throw new CommandError('InvalidNamespace', `Invalid namespace specified '${namespace}'`)
}
