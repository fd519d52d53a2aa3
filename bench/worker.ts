/** What a process of the benchmark does for the one that started it, by name. */
export type Methods = Record<string, (argument: never) => unknown>

/** One call over the channel between the processes. */
export interface Call {
  id: number
  method: string
  argument: unknown
}

export type Answer = { id: number; result: unknown } | { id: number; failure: string }

/** Answers the calls of the parent process until it goes away, and then ends with it. */
export function answerParent(methods: Methods): void {
  process.on('message', async (message: Call) => {
    const { id, method, argument } = message
    const run = methods[method] as ((argument: unknown) => unknown) | undefined
    try {
      if (run === undefined) throw new Error(`there is no ${method} here`)
      reply({ id, result: await run(argument) })
    } catch (error) {
      reply({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit())
  // Ctrl+C reaches the whole group: the parent still needs us to clean up, and ends us itself.
  process.on('SIGINT', () => {})
}

/** Processor time that this process has used, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function reply(answer: Answer): void {
  process.send?.(answer)
}
