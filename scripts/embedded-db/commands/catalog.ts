import { Int32, Long } from 'mongodb'
import type { Collection } from '../collection.js'
import { CommandError } from '../errors.js'
import { type IndexSpec, readIndexSpec, sameSignature } from '../index-spec.js'
import { matches, parseFilter } from '../predicate.js'
import type { Doc } from '../values.js'
import { type Command, collectionName, type Request } from './command.js'

const create: Command = {
  fields: ['create'],
  run: request => {
    const name = collectionName(request)
    if (request.store.find(request.database, name)) {
      throw new CommandError('NamespaceExists', `Collection ${request.database}.${name} already exists.`)
    }
    request.store.ensure(request.database, name)
    return { ok: 1 }
  },
}

const drop: Command = {
  fields: ['drop'],
  run: request => {
    const { store, database, cursors } = request
    const name = collectionName(request)
    const collection = store.find(database, name)
    if (!collection) return { ok: 1 }
    const { size } = collection.indexes
    store.drop(database, name)
    cursors.closeWhere(namespace => namespace === collection.namespace)
    return { nIndexesWas: size, ns: collection.namespace, ok: 1 }
  },
}

const dropDatabase: Command = {
  fields: ['dropDatabase'],
  run: ({ store, database, cursors }) => {
    const existed = store.dropDatabase(database)
    cursors.closeWhere(namespace => namespace.startsWith(`${database}.`))
    return existed ? { dropped: database, ok: 1 } : { ok: 1 }
  },
}

const createIndexes: Command = {
  fields: ['createIndexes', 'indexes'],
  run: request => {
    const { store, database, options } = request
    const specs = options.documents('indexes').map(readIndexSpec)
    if (specs.length === 0) throw new CommandError('BadValue', 'Must specify at least one index to create')
    const name = collectionName(request)
    const existed = store.find(database, name) !== undefined
    const collection = store.ensure(database, name)
    const before = collection.indexes.size
    const wanted = specs.filter(spec => !isThere(collection, spec))
    store.addIndexes(collection, wanted)
    return {
      numIndexesBefore: before,
      numIndexesAfter: collection.indexes.size,
      createdCollectionAutomatically: !existed,
      ...(wanted.length === 0 ? { note: 'all indexes already exist' } : {}),
      ok: 1,
    }
  },
}

/** Whether the very same index exists. Throws where a different one has its name (86) or its keys (85). */
function isThere(collection: Collection, spec: IndexSpec): boolean {
  const named = collection.indexes.get(spec.name)?.spec
  if (named && !sameSignature(named, spec)) {
    throw new CommandError(
      'IndexKeySpecsConflict',
      `An existing index has the same name as the index '${spec.name}'`,
    )
  }
  const twin = named ?? [...collection.indexes.values()].find(index => sameSignature(index.spec, spec))?.spec
  if (!twin) return false
  if (named && named.expireAfterSeconds === spec.expireAfterSeconds) return true
  throw new CommandError(
    'IndexOptionsConflict',
    `The index '${twin.name}' is '${spec.name}' with another name or other options`,
  )
}

const listIndexes: Command = {
  fields: ['listIndexes', 'cursor'],
  run: request => {
    const { namespace, indexes } = present(request)
    return wholeCursor(
      namespace,
      [...indexes.values()].map(({ spec }) => spec.document),
    )
  },
}

const dropIndexes: Command = {
  fields: ['dropIndexes', 'index'],
  run: request => {
    const collection = present(request)
    const before = collection.indexes.size
    const wanted = request.options.string('index')
    const names = [...collection.indexes.keys()].filter(
      name => name !== '_id_' && (wanted === '*' || name === wanted),
    )
    if (names.length === 0 && wanted !== '*') {
      throw new CommandError('IndexNotFound', `index not found with name [${wanted}]`)
    }
    request.store.dropIndexes(collection, names)
    return { nIndexesWas: before, ok: 1 }
  },
}

const listCollections: Command = {
  fields: ['listCollections', 'filter', 'nameOnly', 'authorizedCollections', 'cursor'],
  run: ({ store, database, options }) => {
    const filter = parseFilter(options.document('filter') ?? {})
    const nameOnly = options.flag('nameOnly')
    const shown = store.collectionsOf(database).map(({ namespace }): Doc => {
      const name = namespace.slice(database.length + 1)
      if (nameOnly) return { name, type: 'collection' }
      const idIndex: Doc = { v: new Int32(2), key: { _id: new Int32(1) }, name: '_id_' }
      return { name, type: 'collection', options: {}, info: { readOnly: false }, idIndex }
    })
    const found = shown.filter(document => matches(filter, document))
    return wholeCursor(`${database}.$cmd.listCollections`, found)
  },
}

const listDatabases: Command = {
  fields: ['listDatabases', 'nameOnly', 'authorizedDatabases'],
  run: ({ store, options }) => {
    const databases = store.databaseNames().map(name => {
      const sizeOnDisk = store.collectionsOf(name).reduce((sum, { bytes }) => sum + bytes, 0)
      return { name, sizeOnDisk, empty: sizeOnDisk === 0 }
    })
    if (options.flag('nameOnly')) return { databases: databases.map(({ name }) => ({ name })), ok: 1 }
    return { databases, totalSize: databases.reduce((sum, { sizeOnDisk }) => sum + sizeOnDisk, 0), ok: 1 }
  },
}

/** The collection a command is for. Throws NamespaceNotFound (26). */
function present(request: Request): Collection {
  const name = collectionName(request)
  const collection = request.store.find(request.database, name)
  if (collection) return collection
  throw new CommandError('NamespaceNotFound', `ns does not exist: ${request.database}.${name}`)
}

function wholeCursor(namespace: string, firstBatch: Doc[]): object {
  return { cursor: { id: Long.ZERO, ns: namespace, firstBatch }, ok: 1 }
}

export const catalogCommands = {
  create,
  drop,
  dropDatabase,
  createIndexes,
  listIndexes,
  dropIndexes,
  listCollections,
  listDatabases,
}
