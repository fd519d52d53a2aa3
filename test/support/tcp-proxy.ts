import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { MongoClient } from 'mongodb'
import { withDatabaseName } from '../../scripts/support/database-uri.js'

/** A way to a database that a test can break: what a deployment sees of an outage is what its sockets do. */
export interface TcpProxy {
  /** The connection string of the database behind it, by this way only. */
  uri: string
  /** How many connections were opened through it so far. */
  accepted: number
  /** Ends every connection and leaves the port with nothing on it. */
  refuse(): Promise<void>
  /** Lets everything through again, as at the start. */
  restore(): Promise<void>
  /** Ends every connection; new ones are let through. */
  cut(): void
  /** Goes on accepting, but lets nothing through in either direction: a black hole. */
  stall(): void
  /** Holds back everything that is sent, in both directions, for so long. */
  delay(milliseconds: number): void
  /**
   * Lets the next request that contains this text through, and ends its connection in place of the answer. Resolves
   * when it has.
   */
  cutAnswerTo(text: string): Promise<void>
  close(): Promise<void>
}

interface Pair {
  client: Socket
  upstream: Socket
}

/** Starts a proxy before the database of a connection string, which names one host. */
export async function startTcpProxy(uri: string): Promise<TcpProxy> {
  const target = hostOf(uri)
  const pairs = new Set<Pair>()
  let server: Server | undefined
  let port = 0
  let delayMs = 0
  let stalled = false
  let trap: { text: string; sprung(): void } | undefined

  function pair(client: Socket): void {
    proxy.accepted += 1
    const upstream = connect(target)
    const both = { client, upstream }
    pairs.add(both)
    const end = () => {
      pairs.delete(both)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('error', end).on('close', end)

    let sprung: (() => void) | undefined
    client.on('data', chunk => {
      if (trap !== undefined && chunk.includes(trap.text)) {
        sprung = trap.sprung
        trap = undefined
      }
      forward(upstream, chunk)
    })
    upstream.on('data', chunk => {
      if (sprung === undefined) return forward(client, chunk)
      end()
      sprung()
    })
    if (stalled) pause(both)
  }

  function forward(to: Socket, chunk: Buffer): void {
    if (delayMs === 0) to.write(chunk)
    else setTimeout(() => to.write(chunk), delayMs)
  }

  function cut(): void {
    for (const { client, upstream } of pairs) {
      client.destroy()
      upstream.destroy()
    }
    pairs.clear()
  }

  async function refuse(): Promise<void> {
    const closing = server
    server = undefined
    cut()
    if (closing === undefined) return
    closing.close()
    await once(closing, 'close')
  }

  async function restore(): Promise<void> {
    delayMs = 0
    stalled = false
    for (const { client, upstream } of pairs) {
      client.resume()
      upstream.resume()
    }
    if (server !== undefined) return
    server = createServer(pair).listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  const proxy: TcpProxy = {
    uri: '',
    accepted: 0,
    refuse,
    restore,
    cut,
    stall() {
      stalled = true
      for (const both of pairs) pause(both)
    },
    delay(milliseconds) {
      delayMs = milliseconds
    },
    cutAnswerTo(text) {
      return new Promise(resolve => {
        trap = { text, sprung: resolve }
      })
    },
    close: refuse,
  }
  await restore()
  proxy.uri = through(uri, port)
  return proxy
}

function pause({ client, upstream }: Pair): void {
  client.pause()
  upstream.pause()
}

function hostOf(uri: string): { host: string; port: number } {
  const [address] = new MongoClient(uri).options.hosts
  return { host: address?.host ?? '127.0.0.1', port: address?.port ?? 27017 }
}

/** The same database by another port; directly, or the driver would go by the addresses that the server names. */
function through(uri: string, port: number): string {
  const name = new MongoClient(uri).options.dbName
  const moved = uri.replace(/^(mongodb:\/\/(?:[^@/?]*@)?)[^/?]+/, `$1127.0.0.1:${port}`)
  const [head = '', query] = withDatabaseName(moved, name).split('?')
  const options = new URLSearchParams(query)
  options.delete('replicaSet')
  options.set('directConnection', 'true')
  return `${head}?${options}`
}
