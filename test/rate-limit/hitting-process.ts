import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { hitLimit, Order } from './hit-limit.js'

/** Starts a process that hits limits with the environment of this one. It ends with the test. */
export async function startHittingProcess(): Promise<(order: Order) => ReturnType<typeof hitLimit>> {
  const child = fork(join(import.meta.dirname, 'hit-limit.ts'), { execArgv: ['--import', 'tsx'] })
  onTestFinished(() => void child.kill())
  await next(child)
  return order => {
    child.send(order)
    return next(child) as ReturnType<typeof hitLimit>
  }
}

/** The next message of a process, which must not end before. */
async function next(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`the process ended with ${code}`)),
  )
  const [message] = await Promise.race([once(child, 'message'), ended])
  return message
}
