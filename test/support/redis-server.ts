import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'

/** A Redis of a test's own, reached by a socket in its directory: no port, no file of data. */
export interface RedisServer {
  client: ReturnType<typeof connect>
  /** Ends it as a crash does. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** The version of the redis-server on this machine, where there is one. */
export function installedRedisVersion(): string | undefined {
  try {
    const said = execFileSync('redis-server', ['--version'], { encoding: 'utf8', stdio: 'pipe' })
    return /v=(\S+)/.exec(said)?.[1] ?? 'unknown'
  } catch {
    return undefined
  }
}

/** @throws {Error} where the server ends before it answers. */
export async function startRedisServer(): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'leadline-redis-'))
  const socket = join(directory, 'redis.sock')
  const settings = { port: '0', unixsocket: socket, dir: directory, save: '', appendonly: 'no' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(server, 'exit')
  const abandon = () => server.kill('SIGKILL')
  process.once('exit', abandon)
  const client = connect(socket)

  async function kill(): Promise<void> {
    abandon()
    await ended
  }

  async function close(): Promise<void> {
    process.off('exit', abandon)
    client.destroy()
    await kill()
    await rm(directory, { recursive: true, force: true })
  }

  const early = ended.then(([code]) => Promise.reject(new Error(`redis-server ended with ${code}`)))
  await Promise.race([readiness(server.stdout), early])
  await client.connect()
  return { client, kill, close }
}

function connect(path: string) {
  const client = createClient({
    socket: { path, tls: false, reconnectStrategy: false },
    disableOfflineQueue: true,
  })
  // Its commands fail as well, and are who says so.
  return client.on('error', () => {})
}

async function readiness(output: NodeJS.ReadableStream): Promise<void> {
  let said = ''
  for await (const chunk of output) {
    said += chunk
    if (/ready to accept connections/i.test(said)) return
  }
}
