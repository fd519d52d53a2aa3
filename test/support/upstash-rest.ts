import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { RedisServer } from './redis-server.js'

/**
 * Upstash's REST interface before a Redis, as far as its client uses it: a command or a list of them in the body, and
 * answers in base64 where the client asks for it. Source: https://upstash.com/docs/redis/features/restapi
 */
export interface UpstashRest {
  url: string
  token: string
  /** How many requests came so far. */
  requests: number
  /** Accepts requests and leaves them unanswered until `close`. */
  stall(): void
  /** From now on answers every command with a status and no numbers. */
  mumble(): void
  /** Leaves the port with nothing on it. */
  close(): Promise<void>
}

type Client = RedisServer['client']
type Command = readonly unknown[]

export async function startUpstashRest({ client }: RedisServer): Promise<UpstashRest> {
  let stalled = false
  let run = translated(client)
  const server = createServer((request, response) => {
    rest.requests += 1
    if (!stalled) void answer(request, response, rest.token, run)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const rest: UpstashRest = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: 'test-redis-token',
    requests: 0,
    stall() {
      stalled = true
    },
    mumble() {
      run = async () => 'OK'
    },
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise(closed => server.close(closed))
    },
  }
  return rest
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
  run: (command: Command) => Promise<unknown>,
): Promise<void> {
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (request.headers.authorization !== `Bearer ${token}`)
    return void send(401, { error: 'WRONGPASS invalid or missing auth token' })
  const encode = request.headers['upstash-encoding'] === 'base64' ? toBase64 : (reply: unknown) => reply
  const outcomeOf = (command: Command) =>
    run(command).then(
      result => ({ result: encode(result) }),
      (error: Error) => ({ error: error.message }),
    )
  const body = (await json(request)) as Command
  if (request.url === '/pipeline')
    return void send(200, await Promise.all((body as Command[]).map(outcomeOf)))
  if (request.url !== '/') return void send(404, { error: 'ERR not supported here' })
  const outcome = await outcomeOf(body)
  send('error' in outcome ? 400 : 200, outcome)
}

/** As Upstash does it: everything but the status "OK". */
function toBase64(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(toBase64)
  return typeof reply === 'string' && reply !== 'OK' ? Buffer.from(reply).toString('base64') : reply
}

/** Runs commands as Upstash would: its scripts have a flag that only it knows, and the hash that they have with it. */
function translated(client: Client): (command: Command) => Promise<unknown> {
  const hashes = new Map<string, string>()
  return command => {
    const [name = '', script = '', ...rest] = command.map(String)
    if (/^evalsha$/i.test(name)) return client.sendCommand([name, hashes.get(script) ?? script, ...rest])
    if (!/^eval$/i.test(name)) return client.sendCommand(command.map(String))
    const known = script.replace(/^#!lua flags=allow-key-locking/, '#!lua')
    hashes.set(sha1(script), sha1(known))
    return client.sendCommand([name, known, ...rest])
  }
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
