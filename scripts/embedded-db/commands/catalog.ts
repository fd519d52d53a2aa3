import { Int32, Long } from 'mongodb'
import type { Collection } from '../collection.js'
import { CommandError } from '../errors.js'
import { type IndexSpec, readIndexSpec, sameKey, sameOptions, sameSignature } from '../index-spec.js'
import { matches, parseFilter } from '../predicate.js'
import { type Doc, isDoc, type Value } from '../values.js'
import { type Command, collectionName, type Request } from './command.js'

const create: Command = {
  fields: ['create', 'autoIndexId'],
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
  const twin = [...collection.indexes.values()].find(index => sameSignature(index.spec, spec))?.spec
  if (named && !sameSignature(named, spec)) {
    throw new CommandError(
      'IndexKeySpecsConflict',
      `An existing index has the same name as the requested index. Requested index: '${spec.name}'`,
    )
  }
  if (named && sameOptions(named, spec)) return true
  if (named ?? twin) {
    const existing = (named ?? twin) as IndexSpec
    throw new CommandError(
      'IndexOptionsConflict',
      named
        ? `An equivalent index already exists with the same name but different options. Requested index: '${spec.name}'`
        : `Index already exists with a different name: ${existing.name}`,
    )
  }
  return false
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
    const { store, options } = request
    const collection = present(request)
    const wanted = options.required('index')
    const before = collection.indexes.size
    store.dropIndexes(collection, namesToDrop(collection, wanted))
    return { nIndexesWas: before, ok: 1 }
  },
}

function namesToDrop(collection: Collection, wanted: Value): string[] {
  const all = [...collection.indexes.values()].map(({ spec }) => spec)
  const own = all.filter(({ name }) => name !== '_id_').map(({ name }) => name)
  if (wanted === '*') return own
  const names = Array.isArray(wanted)
    ? wanted.map(String)
    : isDoc(wanted)
      ? all.filter(({ key }) => sameKey(key, wanted)).map(({ name }) => name)
      : [String(wanted)]
  if (names.includes('_id_')) throw new CommandError('InvalidOptions', 'cannot drop _id index')
  if (names.length > 1 && isDoc(wanted)) {
    throw new CommandError(
      'AmbiguousIndexKeyPattern',
      `${names.length} indexes found for that key; drop by name`,
    )
  }
  const missing = names.length === 0 ? 'with that key' : names.find(name => !own.includes(name))
  if (missing !== undefined) throw new CommandError('IndexNotFound', `index not found with name [${missing}]`)
  return names
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
  fields: ['listDatabases', 'filter', 'nameOnly', 'authorizedDatabases'],
  run: ({ store, options }) => {
    const filter = parseFilter(options.document('filter') ?? {})
    const nameOnly = options.flag('nameOnly')
    const sizes = store.databaseNames().map(name => {
      const bytes = store.collectionsOf(name).reduce((sum, collection) => sum + collection.bytes, 0)
      return { name, bytes }
    })
    const found = sizes.filter(({ name }) => matches(filter, { name }))
    if (nameOnly) return { databases: found.map(({ name }) => ({ name })), ok: 1 }
    const databases = found.map(({ name, bytes }) => ({ name, sizeOnDisk: bytes, empty: bytes === 0 }))
    return { databases, totalSize: found.reduce((sum, { bytes }) => sum + bytes, 0), ok: 1 }
  },
}

const renameCollection: Command = {
  fields: ['renameCollection', 'to', 'dropTarget'],
  run: request => {
    const { store, options, cursors } = request
    const [from, to] = [String(request.target), options.string('to') ?? '']
    store.rename(from, to, options.flag('dropTarget'))
    cursors.closeWhere(namespace => namespace === from || namespace === to)
    return { ok: 1 }
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
  renameCollection,
}
