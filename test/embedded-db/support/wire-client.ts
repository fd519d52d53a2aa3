import { connect, type Socket } from 'node:net'
import { BSON, type Document } from 'mongodb'

/** A connection that speaks the wire protocol byte by byte, for what a driver would never send. */
export class WireClient {
  private received = Buffer.alloc(0)
  private wake = () => {}
  ended = false

  private constructor(readonly socket: Socket) {
    socket.on('data', chunk => {
      this.received = Buffer.concat([this.received, chunk])
      this.wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
      this.wake()
    })
  }

  static open(port: number): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new WireClient(socket)))
      socket.once('error', reject)
    })
  }

  /** The next reply: its header's fields and its document. Rejects when the server hangs up instead. */
  async reply(): Promise<{ responseTo: number; opCode: number; document: Document }> {
    for (;;) {
      const length = this.received.length >= 4 ? this.received.readInt32LE(0) : Number.POSITIVE_INFINITY
      if (this.received.length >= length) {
        const message = this.received.subarray(0, length)
        this.received = this.received.subarray(length)
        const opCode = message.readInt32LE(12)
        const document = BSON.deserialize(message.subarray(opCode === 1 ? 36 : 21))
        return { responseTo: message.readInt32LE(8), opCode, document }
      }
      if (this.ended) throw new Error('the server hung up')
      await new Promise<void>(resolve => {
        this.wake = resolve
      })
    }
  }
}

/** An OP_MSG of these sections. */
export function opMsg(requestId: number, sections: readonly Uint8Array[], flags = 0): Buffer {
  const checksum = flags & 1 ? [Buffer.from([1, 2, 3, 4])] : []
  const body = Buffer.concat([uint32(flags), ...sections, ...checksum])
  return Buffer.concat([header(body.length, requestId, 2013), body])
}

/** A section of kind 0: the command itself. */
export function commandSection(command: Document): Buffer {
  return Buffer.concat([Buffer.from([0]), BSON.serialize(command)])
}

/** A section of kind 1: a sequence of documents. */
export function sequenceSection(name: string, documents: readonly Document[]): Buffer {
  const body = Buffer.concat([
    Buffer.from(`${name}\0`),
    ...documents.map(document => BSON.serialize(document)),
  ])
  return Buffer.concat([Buffer.from([1]), uint32(body.length + 4), body])
}

export function opQuery(requestId: number, namespace: string, query: Document): Buffer {
  const body = Buffer.concat([
    uint32(0),
    Buffer.from(`${namespace}\0`),
    uint32(0),
    uint32(0xffffffff),
    BSON.serialize(query),
  ])
  return Buffer.concat([header(body.length, requestId, 2004), body])
}

function header(bodyLength: number, requestId: number, opCode: number): Buffer {
  return Buffer.concat([uint32(bodyLength + 16), uint32(requestId), uint32(0), uint32(opCode)])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
