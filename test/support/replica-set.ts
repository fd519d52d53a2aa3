import { MongoClient, ObjectId } from 'mongodb'
import { decode } from '../../scripts/embedded-db/codec.js'
import { field, fieldsOf, isDoc } from '../../scripts/embedded-db/values.js'
import { type Forward, startWireProxy, type WireCommand, type WireReply } from './wire-proxy.js'

/** What a write meets whose primary goes away while it is at it. */
export type LostWrite =
  /** Refused: it was never done. */
  | 'NotWritablePrimary'
  /** Interrupted before it was done. */
  | 'InterruptedDueToReplStateChange'
  /** Done, and not known to be on a majority. */
  | 'PrimarySteppedDown'
  /** Done, and its answer is lost with the connection. */
  | 'connection closed'

const CODES = { NotWritablePrimary: 10107, InterruptedDueToReplStateChange: 11602, PrimarySteppedDown: 189 }

/** Two members of a replica set in front of one database, which stands for what a majority has. */
export interface ReplicaSet {
  uri: string
  /** The primary steps down, which ends its connections: there is none until `elect`. */
  stepDown(): void
  /** The other member becomes primary. */
  elect(): void
  /** The primary steps down at the next write on this collection, which meets that. Resolves when it has. */
  stepDownAt(collection: string, lost: LostWrite): Promise<void>
  close(): Promise<void>
}

const READS = new Set(['find', 'aggregate', 'count', 'distinct', 'getMore', 'listCollections', 'listIndexes'])
const WRITES = new Set(['insert', 'update', 'delete', 'findAndModify', 'createIndexes'])
const WITHOUT_SESSION = ['lsid', 'txnNumber', '$clusterTime', '$readPreference']

/**
 * Starts a replica set that a driver takes for one: its members name each other, only the primary takes writes, and a
 * write that is sent again under its number is answered and not done again, as MongoDB's specification of retryable
 * writes has it.
 */
export async function startReplicaSet(uri: string): Promise<ReplicaSet> {
  const dbName = new MongoClient(uri).options.dbName
  const done = new Map<string, Buffer>()
  let ports: number[] = []
  let primary: number | undefined = 0
  let last = 0
  let electionId = new ObjectId()
  let trap: { collection: string; lost: LostWrite; sprung(): void } | undefined

  function hello(member: number): object {
    const hosts = ports.map(port => `127.0.0.1:${port}`)
    const isPrimary = member === primary
    return {
      ok: 1,
      helloOk: true,
      isWritablePrimary: isPrimary,
      ismaster: isPrimary,
      secondary: !isPrimary,
      setName: 'rs',
      setVersion: 1,
      hosts,
      me: hosts[member],
      ...(primary !== undefined && { primary: hosts[primary] }),
      ...(isPrimary && { electionId }),
      maxBsonObjectSize: 16 * 1024 * 1024,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      logicalSessionTimeoutMinutes: 30,
      minWireVersion: 0,
      maxWireVersion: 21,
    }
  }

  async function handle(member: number, command: WireCommand, forward: Forward): Promise<WireReply> {
    const { name, target } = command
    if (/^(hello|isMaster|ismaster)$/.test(name)) return hello(member)
    if (name === 'endSessions') return { ok: 1 }
    if (member !== primary) {
      if (WRITES.has(name)) return refusal('NotWritablePrimary')
      if (READS.has(name))
        return { ok: 0, code: 13435, codeName: 'NotPrimaryNoSecondaryOk', errmsg: 'not primary' }
    }
    if (!WRITES.has(name)) return forward(WITHOUT_SESSION)
    const isMeant = trap?.collection === target && name !== 'createIndexes'
    if (trap === undefined || !isMeant) return write(command, forward)

    const { lost, sprung } = trap
    trap = undefined
    const isDone = lost === 'PrimarySteppedDown' || lost === 'connection closed'
    const reply = isDone ? decodeReply(await write(command, forward)) : undefined
    stepDown(member)
    sprung()
    if (lost === 'connection closed') return undefined
    if (!reply) return refusal(lost)
    const writeConcernError = { code: CODES.PrimarySteppedDown, codeName: lost, errmsg: 'stepped down' }
    return { ...reply, writeConcernError, errorLabels: ['RetryableWriteError'] }
  }

  async function write({ message }: WireCommand, forward: Forward): Promise<Buffer> {
    const [lsid, number] = [field(message.command, 'lsid'), field(message.command, 'txnNumber')]
    if (!isDoc(lsid) || number === undefined) return forward(WITHOUT_SESSION)
    const key = `${JSON.stringify(lsid)} ${String(number)}`
    const before = done.get(key)
    if (before) return before
    const reply = await forward(WITHOUT_SESSION)
    done.set(key, reply)
    return reply
  }

  /** @param asking the member whose connection is still to be answered. */
  function stepDown(asking?: number): void {
    const was = primary
    if (was === undefined) return
    last = was
    primary = undefined
    if (was !== asking) members[was]?.cut()
  }

  const members = await Promise.all(
    [0, 1].map(member => startWireProxy(uri, (...args) => handle(member, ...args))),
  )
  ports = members.map(({ port }) => port)
  return {
    uri: `mongodb://${ports.map(port => `127.0.0.1:${port}`).join(',')}/${dbName}?replicaSet=rs`,
    stepDown: () => stepDown(),
    elect() {
      primary = 1 - last
      electionId = new ObjectId()
    },
    stepDownAt: (collection, lost) =>
      new Promise(resolve => {
        trap = { collection, lost, sprung: resolve }
      }),
    async close() {
      await Promise.all(members.map(member => member.close()))
    },
  }
}

function refusal(codeName: keyof typeof CODES): object {
  return {
    ok: 0,
    code: CODES[codeName],
    codeName,
    errmsg: 'not primary',
    errorLabels: ['RetryableWriteError'],
  }
}

/** What a reply says: one section, as every server sends it. */
export function decodeReply(reply: Buffer): Record<string, unknown> {
  return Object.fromEntries(fieldsOf(decode(reply.subarray(21))))
}
