import type { ChangeLog } from './change-log.js'
import { Collection } from './collection.js'
import { CommandError } from './errors.js'
import type { IndexSpec } from './index-spec.js'

/** All databases of the server. Whatever it changes it tells the log, with the way back. */
export class Store {
  private readonly databases = new Map<string, Map<string, Collection>>()

  /** Without a log, what is changed is kept in memory alone. */
  constructor(private readonly log?: ChangeLog) {}

  databaseNames(): string[] {
    return [...this.databases.keys()].sort()
  }

  collectionsOf(database: string): Collection[] {
    return [...(this.databases.get(database)?.values() ?? [])]
  }

  collections(): Collection[] {
    return this.databaseNames().flatMap(database => this.collectionsOf(database))
  }

  find(database: string, name: string): Collection | undefined {
    return this.databases.get(database)?.get(name)
  }

  /** The collection, made now if it was not there. Throws InvalidNamespace (73). */
  ensure(database: string, name: string): Collection {
    const found = this.find(database, name)
    if (found) return found
    checkNamespace(database, name)
    const made = this.at(`${database}.${name}`)
    this.log?.note({ op: 'create', ns: made.namespace }, () => this.dropNamespace(made.namespace))
    return made
  }

  drop(database: string, name: string): boolean {
    const collection = this.find(database, name)
    if (!collection) return false
    const { namespace } = collection
    this.dropNamespace(namespace)
    this.log?.note({ op: 'drop', ns: namespace }, () => this.attach(collection))
    return true
  }

  dropDatabase(database: string): boolean {
    const collections = this.collectionsOf(database)
    for (const { namespace } of collections) this.drop(...splitNamespace(namespace))
    return collections.length > 0
  }

  /** Builds all of the indexes or, where one cannot be built, none. Throws DuplicateKey. */
  addIndexes(collection: Collection, specs: readonly IndexSpec[]): void {
    const added: string[] = []
    const takeBack = () => {
      for (const name of added) collection.indexes.delete(name)
    }
    try {
      for (const spec of specs) {
        collection.addIndex(spec)
        added.push(spec.name)
      }
    } catch (error) {
      takeBack()
      throw error
    }
    const indexes = specs.map(({ document }) => document)
    if (indexes.length > 0) {
      this.log?.note({ op: 'createIndexes', ns: collection.namespace, indexes }, takeBack)
    }
  }

  dropIndexes(collection: Collection, names: readonly string[]): void {
    const specs = names.flatMap(name => collection.indexes.get(name)?.spec ?? [])
    for (const name of names) collection.indexes.delete(name)
    this.log?.note({ op: 'dropIndexes', ns: collection.namespace, names: [...names] }, () => {
      for (const spec of specs) collection.addIndex(spec)
    })
  }

  /** The collection of a namespace while the data directory is read. */
  at(namespace: string): Collection {
    return this.find(...splitNamespace(namespace)) ?? this.attach(new Collection(namespace, this.log))
  }

  /** Drops without telling the log. */
  dropNamespace(namespace: string): void {
    const [database, name] = splitNamespace(namespace)
    const collections = this.databases.get(database)
    collections?.delete(name)
    if (collections?.size === 0) this.databases.delete(database)
  }

  /** Fills the indexes once the data directory has been read. */
  finishRestore(): void {
    for (const collection of this.collections()) collection.reindex()
    this.log?.take()
  }

  private attach(collection: Collection): Collection {
    const [database, name] = splitNamespace(collection.namespace)
    const collections = this.databases.get(database) ?? new Map<string, Collection>()
    this.databases.set(database, collections.set(name, collection))
    return collection
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
