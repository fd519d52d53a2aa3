import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Answer, Call, Methods } from './worker.js'

const STOP_TIMEOUT_MS = 5_000

/** A process of the benchmark as its parent sees it. */
export interface Worker<M extends Methods> {
  call<K extends keyof M & string>(
    method: K,
    ...argument: Parameters<M[K]>
  ): Promise<Awaited<ReturnType<M[K]>>>
  /** Ends the process and waits until it is gone. */
  stop(): Promise<void>
}

export interface WorkerOptions {
  /** Its whole environment beside `PATH`: nothing of a developer's shell steers what is measured. */
  env?: Record<string, string>
  /** Options of Node, such as `--cpu-prof`. */
  nodeOptions?: readonly string[]
  /** Whether its stacks name our sources, which costs time with every module that is loaded. */
  sourceMaps?: boolean
}

/**
 * Starts a module of the built sources as a process of its own.
 *
 * @param root the directory that `build` made.
 * @param module the path of the built module in there, `bench/load.js`.
 */
export function startWorker<M extends Methods>(
  root: string,
  module: string,
  { env = {}, nodeOptions = [], sourceMaps = true }: WorkerOptions = {},
): Worker<M> {
  const child = fork(join(root, module), {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    execArgv: [...(sourceMaps ? ['--enable-source-maps'] : []), ...nodeOptions],
    serialization: 'advanced',
  })
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  let calls = 0

  child.on('message', (answer: Answer) => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('failure' in answer) call?.reject(new Error(`${module}: ${answer.failure}`))
    else call?.resolve(answer.result as never)
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${module} ended with ${signal ?? code}`))
    waiting.clear()
  })

  return {
    call(method, ...[argument]) {
      if (!child.connected) return Promise.reject(new Error(`${module} has ended`))
      return new Promise((resolve, reject) => {
        calls += 1
        waiting.set(calls, { resolve, reject })
        child.send({ id: calls, method, argument } satisfies Call)
      })
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      if (child.connected) child.disconnect()
      const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      await gone
      clearTimeout(impatience)
    },
  }
}
