import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { BuildOutcome, BuildTask } from './build-function.js'

/**
 * Builds functions in as many processes as there are cores: each build checks types anew, which is most of its time.
 * What became of each, in the order of the tasks.
 */
export async function buildAll(tasks: readonly BuildTask[]): Promise<BuildOutcome[]> {
  const outcomes: BuildOutcome[] = []
  let next = 0
  async function work(): Promise<void> {
    const child = startBuilder()
    try {
      for (let at = next++; at < tasks.length; at = next++)
        outcomes[at] = await build(child, tasks[at] as BuildTask)
    } finally {
      child.kill()
    }
  }
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), tasks.length) }, work))
  return outcomes
}

function startBuilder(): ChildProcess {
  return fork(join(import.meta.dirname, 'build-main.ts'), {
    execArgv: ['--import', import.meta.resolve('tsx')],
    // What the builder prints of each build is no part of the table.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

async function build(child: ChildProcess, task: BuildTask): Promise<BuildOutcome> {
  const settled = new AbortController()
  const { signal } = settled
  child.send(task)
  const outcome = once(child, 'message', { signal }).then(([outcome]) => outcome as BuildOutcome)
  const ended = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`${task.builder.src}: the process that builds it ended with code ${code}`)
  })
  return Promise.race([outcome, ended]).finally(() => settled.abort())
}
