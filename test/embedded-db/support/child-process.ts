import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export interface Child {
  uri: string
  process: ChildProcess
  /** Sends a signal and waits for the end; gives the exit code, null after a signal that killed it. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** Starts a TypeScript file of the repository; ended when the test is over, if not before. */
export function run(file: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      output += chunk
      for (const listener of listeners) listener()
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return (await exited)[0]
  }
  onTestFinished(async () => {
    await end('SIGKILL')
  })
  /** What a pattern finds in the output, as soon as it does. Rejects when the process ends before. */
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output)
      if (found) return found
      const more = new Promise<void>(resolve => listeners.add(resolve))
      const gone = exited.then(([code]) => {
        throw new Error(`it ended with ${code} and said: ${output}`)
      })
      await Promise.race([more, gone])
    }
  }
  return { process: child, end, said, exited: exited.then(([code]) => code), output: () => output }
}

/** Starts a database in a process of its own, rolling its journal over often. */
export async function databaseProcess(directory: string): Promise<Child> {
  const child = run('test/embedded-db/support/serve.ts', [directory])
  const [, uri = ''] = await child.said(/^db (\S+)$/m)
  return { uri, process: child.process, end: child.end }
}
