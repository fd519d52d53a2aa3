import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { FunctionsMessage } from './functions-protocol.js'

const BACKGROUND_WORK_MS = 5_000

/** A running process of functions. */
export interface FunctionsProcess {
  /** On 127.0.0.1. */
  port: number
  /** Resolves when it has ended, whyever, with the way it did. */
  ended: Promise<string>
  /** Ends it after the background work of its requests, which gets 5 seconds. */
  stop(): Promise<void>
}

/**
 * Starts a process that runs the functions of a project from their sources.
 *
 * @throws when it ends before it is up.
 */
export async function startFunctions(root: string, variables: NodeJS.ProcessEnv): Promise<FunctionsProcess> {
  const child = fork(join(import.meta.dirname, 'functions-main.ts'), [root], {
    cwd: root,
    env: variables,
    execArgv: ['--import', import.meta.resolve('tsx')],
  })
  const ended = endOf(child)
  const port = await Promise.race([
    once(child, 'message').then(([message]: FunctionsMessage[]) => message?.port),
    ended.then(how => {
      throw new Error(`The functions' process ended before it was up: ${how}`)
    }),
  ])
  if (port === undefined) throw new Error("The functions' process did not say where it listens")
  return { port, ended, stop: () => stopChild(child, ended) }
}

async function endOf(child: ChildProcess): Promise<string> {
  const [code, signal] = await once(child, 'exit')
  return signal ? `by ${signal}` : `with code ${code}`
}

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.connected) child.send({ type: 'stop' })
  const timer = setTimeout(() => child.kill('SIGKILL'), BACKGROUND_WORK_MS)
  await ended
  clearTimeout(timer)
}
