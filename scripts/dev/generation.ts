import { setTimeout as delay } from 'node:timers/promises'
import { startFunctions } from './functions-process.js'
import { type RouteTable, readRouteTable } from './route-table.js'

/** One state of the sources: how requests are routed, and a process that runs the functions. */
export interface Generation {
  table: RouteTable
  /** Where the functions' process listens, on 127.0.0.1. */
  port: number
  /** Resolves when the functions' process has ended, whyever, with the way it did. */
  ended: Promise<string>
  /** Does the work of a request, which `finish` waits for. */
  run<T>(work: () => Promise<T>): Promise<T>
  /** Waits for the requests under way, at most `patienceMs`, then for their background work, and ends. */
  finish(patienceMs?: number): Promise<void>
}

/**
 * Starts one.
 *
 * @throws {UsageError} for what is wrong in the project's configuration.
 */
export async function startGeneration(root: string, variables: NodeJS.ProcessEnv): Promise<Generation> {
  const table = await readRouteTable(root)
  const { port, ended, stop } = await startFunctions(root, variables)
  const underWay = new Set<Promise<unknown>>()
  return {
    table,
    port,
    ended,
    async run(work) {
      const running = work()
      underWay.add(running)
      try {
        return await running
      } finally {
        underWay.delete(running)
      }
    },
    async finish(patienceMs) {
      const answered = Promise.allSettled(underWay)
      const expired = patienceMs === undefined ? [] : [delay(patienceMs, undefined, { ref: false })]
      await Promise.race([answered, ...expired])
      await stop()
    },
  }
}
