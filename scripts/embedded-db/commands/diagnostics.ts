import { MAX_DOCUMENT_BYTES } from '../documents.js'
import { MAX_MESSAGE_BYTES } from '../wire.js'
import { type Command, type Request, readable } from './command.js'

/** The version whose behaviour this server keeps to, and the wire version that goes with it. */
const VERSION = '7.0.0'
const WIRE_VERSION = 21

function handshake({ connectionId }: Request): object {
  return {
    helloOk: true,
    ismaster: true,
    isWritablePrimary: true,
    maxBsonObjectSize: MAX_DOCUMENT_BYTES,
    maxMessageSizeBytes: MAX_MESSAGE_BYTES,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId,
    minWireVersion: 0,
    maxWireVersion: WIRE_VERSION,
    readOnly: false,
    ok: 1,
  }
}

const hello: Command = { run: handshake }

const buildInfo: Command = {
  fields: ['buildInfo'],
  run: () => ({
    version: VERSION,
    versionArray: VERSION.split('.').map(Number).concat(0),
    gitVersion: 'embedded',
    modules: [],
    storageEngines: ['embedded'],
    bits: 64,
    maxBsonObjectSize: MAX_DOCUMENT_BYTES,
    ok: 1,
  }),
}

const ok = (...fields: string[]): Command => ({ fields, run: () => ({ ok: 1 }) })

const connectionStatus: Command = {
  fields: ['connectionStatus', 'showPrivileges'],
  run: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 }),
}

/** Asked by database browsers before anything else. */
const hostInfo: Command = {
  fields: ['hostInfo'],
  run: () => ({ system: {}, os: {}, extra: {}, ok: 1 }),
}

const collStats: Command = {
  fields: ['collStats', 'scale'],
  run: request => {
    const { namespace, entries, bytes, indexes } = readable(request)
    return { ns: namespace, ...sizes(entries.size, bytes), nindexes: indexes.size, ok: 1 }
  },
}

const dbStats: Command = {
  fields: ['dbStats', 'scale', 'freeStorage'],
  run: ({ store, database }) => {
    const collections = store.collectionsOf(database)
    const sum = (of: (collection: (typeof collections)[number]) => number) =>
      collections.reduce((total, collection) => total + of(collection), 0)
    return {
      db: database,
      collections: collections.length,
      views: 0,
      indexes: sum(({ indexes }) => indexes.size),
      objects: sum(({ entries }) => entries.size),
      dataSize: sum(({ bytes }) => bytes),
      ok: 1,
    }
  },
}

function sizes(count: number, bytes: number): object {
  return { count, size: bytes, avgObjSize: count === 0 ? 0 : bytes / count }
}

export const diagnosticCommands = {
  hello,
  isMaster: hello,
  ismaster: hello,
  ping: ok('ping'),
  endSessions: ok('endSessions'),
  buildInfo,
  connectionStatus,
  hostInfo,
  collStats,
  dbStats,
}
