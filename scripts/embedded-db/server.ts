import { createServer, type Server, type Socket } from 'node:net'
import { CommandError } from './errors.js'
import { type Message, messageLength, readMessage, writeReply } from './wire.js'

/** Answers one command. Never throws: an error is a reply too. */
type Respond = (message: Message, connectionId: number) => Promise<object>

/** Accepts connections on the loopback interface and answers the commands of each in their order. */
export class WireServer {
  private readonly server: Server
  private readonly connections = new Set<Connection>()
  private nextConnectionId = 1

  constructor(private readonly respond: Respond) {
    this.server = createServer(socket => {
      const connection = new Connection(socket, this.nextConnectionId++, this.respond)
      this.connections.add(connection)
      socket.once('close', () => this.connections.delete(connection))
    })
  }

  /** Starts listening and tells the port. Rejects with EADDRINUSE in plain words. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => {
        const taken = error.code === 'EADDRINUSE'
        reject(taken ? new Error(`port ${port} is taken; choose another or stop what listens there`) : error)
      })
      this.server.listen(port, '127.0.0.1', () => {
        const address = this.server.address()
        resolve(typeof address === 'object' && address ? address.port : port)
      })
    })
  }

  /** Stops accepting, lets commands that have begun be answered, then ends every connection. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()))
    await Promise.all([...this.connections].map(connection => connection.finish()))
    await closed
  }
}

class Connection {
  private readonly chunks: Buffer[] = []
  private buffered = 0
  private wanted = 4
  private working: Promise<void> | undefined
  private finishing = false

  constructor(
    private readonly socket: Socket,
    private readonly id: number,
    private readonly respond: Respond,
  ) {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('data', chunk => {
      this.chunks.push(chunk)
      this.buffered += chunk.length
      if (this.buffered >= this.wanted) this.work()
    })
  }

  async finish(): Promise<void> {
    this.finishing = true
    await this.working
    this.socket.destroySoon()
    if (!this.socket.destroyed) await new Promise(resolve => this.socket.once('close', resolve))
  }

  private work(): void {
    this.working ??= this.answerAll()
      .catch(() => void this.socket.destroy())
      .finally(() => {
        this.working = undefined
      })
  }

  private async answerAll(): Promise<void> {
    for (let bytes = this.take(); bytes && !this.finishing; bytes = this.take()) {
      const message = readMessage(bytes)
      const reply = await this.respond(message, this.id)
      if (message.silent || this.socket.destroyed) continue
      this.socket.cork()
      for (const part of writeReply(message, reply)) this.socket.write(part)
      this.socket.uncork()
    }
  }

  /** The next whole message, if it is there. A client that sends nonsense is cut off. */
  private take(): Buffer | undefined {
    if (this.buffered < this.wanted) return undefined
    const bytes = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks)
    const length = messageLength(bytes)
    if (length === undefined || bytes.length < length) {
      this.chunks.splice(0, this.chunks.length, bytes)
      this.wanted = length ?? 4
      return undefined
    }
    const rest = bytes.subarray(length)
    this.chunks.splice(0, this.chunks.length, ...(rest.length > 0 ? [rest] : []))
    this.buffered = rest.length
    this.wanted = 4
    return bytes.subarray(0, length)
  }
}

/** The reply that reports an error. */
export function errorReply(error: unknown): object {
  if (error instanceof CommandError) {
    const { code, codeName, message, extra } = error
    return { ok: 0, errmsg: message, code, codeName, ...extra }
  }
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { ok: 0, errmsg: `the embedded database failed: ${reason}`, code: 1, codeName: 'InternalError' }
}
