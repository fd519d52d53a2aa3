import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { MongoClient } from 'mongodb'
import { encode } from '../../scripts/embedded-db/codec.js'
import { field, namesOf, withField } from '../../scripts/embedded-db/values.js'
import { type Message, messageLength, readMessage, writeReply } from '../../scripts/embedded-db/wire.js'

/** A command on its way to the database. */
export interface WireCommand {
  /** `insert`, `findAndModify`, `hello` … */
  name: string
  /** The collection, for commands that have one. */
  target: unknown
  message: Message
}

/** What became of a command: the reply as it came or one that is made up; undefined ends the connection instead. */
export type WireReply = Buffer | object | undefined

/** Sends a command on, without the fields that are named here, and gives the database's reply. */
export type Forward = (without?: readonly string[]) => Promise<Buffer>

/** A way to a database that reads each command and may answer it in the database's place. */
export interface WireProxy {
  port: number
  /** The connection string of the database behind it, by this way only. */
  uri: string
  /** Ends every connection; new ones are let through. */
  cut(): void
  close(): Promise<void>
}

/**
 * Starts a proxy before the database of a connection string.
 *
 * @param handle answers a command; where it does not forward it, the database never sees it.
 */
export async function startWireProxy(
  uri: string,
  handle: (command: WireCommand, forward: Forward) => Promise<WireReply>,
): Promise<WireProxy> {
  const {
    hosts: [address],
    dbName,
  } = new MongoClient(uri).options
  const target = { host: address?.host ?? '127.0.0.1', port: address?.port ?? 27017 }
  const clients = new Set<Socket>()

  async function serve(client: Socket): Promise<void> {
    const upstream = connect(target).setNoDelay(true)
    const replies = messagesOf(upstream)
    try {
      for await (const bytes of messagesOf(client)) {
        const message = readMessage(bytes)
        const [name = ''] = namesOf(message.command)
        const forward: Forward = async (without = []) => {
          upstream.write(without.length === 0 ? bytes : rewritten(bytes, message, without))
          const { value, done } = await replies.next()
          if (done) throw new Error('the database ended the connection')
          return value
        }
        const reply = await handle({ name, target: field(message.command, name), message }, forward)
        if (reply === undefined) return
        if (Buffer.isBuffer(reply)) client.write(answering(reply, message))
        else for (const part of writeReply(message, reply)) client.write(part)
      }
    } finally {
      client.destroy()
      upstream.destroy()
    }
  }

  const server = createServer(client => {
    clients.add(client.setNoDelay(true))
    client.once('close', () => clients.delete(client))
    // What a socket fails with, its end tells as well.
    serve(client).catch(() => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  function cut(): void {
    for (const client of clients) client.destroy()
  }
  const { port } = server.address() as AddressInfo
  return {
    port,
    uri: `mongodb://127.0.0.1:${port}/${dbName}?directConnection=true`,
    cut,
    async close() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}

async function* messagesOf(socket: Socket): AsyncGenerator<Buffer, void> {
  let pending: Buffer = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, chunk])
    for (
      let length = messageLength(pending);
      length && length <= pending.length;
      length = messageLength(pending)
    ) {
      yield pending.subarray(0, length)
      pending = pending.subarray(length)
    }
  }
}

/** A reply of the database, to the request that it is sent for. */
function answering(reply: Buffer, { requestId }: Message): Buffer {
  const own = Buffer.from(reply)
  own.writeInt32LE(requestId, 8)
  return own
}

/** The same OP_MSG without some fields of its command. */
function rewritten(bytes: Buffer, { command, sequences }: Message, without: readonly string[]): Buffer {
  const body = encode(without.reduce((rest, name) => withField(rest, name, undefined), command))
  const parts: Uint8Array[] = [Buffer.from(bytes.subarray(0, 16)), Buffer.alloc(5), body]
  for (const [name, documents] of sequences) {
    const head = Buffer.alloc(5)
    const content = [Buffer.from(`${name}\0`), ...documents]
    head[0] = 1
    head.writeInt32LE(4 + content.reduce((sum, { length }) => sum + length, 0), 1)
    parts.push(head, ...content)
  }
  const message = Buffer.concat(parts)
  message.writeInt32LE(message.length, 0)
  return message
}
