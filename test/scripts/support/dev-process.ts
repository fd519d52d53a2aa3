import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { vi } from 'vitest'

const entry = join(import.meta.dirname, '..', '..', '..', 'scripts', 'dev.ts')

/** A development server in a process of its own. */
export interface DevProcess {
  url: string
  child: ChildProcess
  /** What it has printed so far. */
  output(): string
  /** Sends a signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** A database that the server is given and nobody asks: without one it would start the embedded database. */
export const UNUSED_DATABASE = { MONGO_URI: 'mongodb://127.0.0.1:1/unused' }

/** Starts it on a free port and waits for its `ready` line. */
export async function startDev(
  root: string,
  variables: Record<string, string> = UNUSED_DATABASE,
): Promise<DevProcess> {
  const started = spawnDev(root, variables)
  const url = await vi.waitFor(
    () => {
      const line = /^ready (http:\/\/127\.0\.0\.1:\d+)$/m.exec(started.output())
      if (!line?.[1] && started.child.exitCode !== null) return ''
      if (!line?.[1]) throw new Error(`not ready:\n${started.output()}`)
      return line[1]
    },
    { timeout: 60_000, interval: 20 },
  )
  if (url === '') throw new Error(`ended before it was ready:\n${started.output()}`)
  return { ...started, url }
}

/** Starts it and waits for nothing. */
export function spawnDev(root: string, variables: Record<string, string>): Omit<DevProcess, 'url'> {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), entry], {
    cwd: root,
    env: { PATH, HOME, PORT: '0', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(child, 'close')
  return {
    child,
    output: () => output,
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      const [code, by] = await ended
      return { code, signal: by }
    },
  }
}
