/** Work that was asked to stop and did so at a safe point. */
export class Interrupted extends Error {
  constructor(howToGoOn: string) {
    super(`stopped at a safe point. ${howToGoOn}`)
    this.name = 'Interrupted'
  }
}

/**
 * Runs long work that Ctrl-C (or SIGTERM) stops where the work itself finds it safe: it calls
 * `signal.throwIfAborted()` there. Whoever insists and signals twice ends the process at once, as without this.
 *
 * @param howToGoOn a sentence for the person who interrupted: "The same command goes on from here."
 * @throws {Interrupted} through the work, which `runAsProgram` turns into the exit code 130.
 */
export async function interruptible<T>(
  howToGoOn: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interruption = new AbortController()
  function interrupt() {
    // Without its handlers, the next signal does what it does by default.
    release()
    console.error('\nStopping at the next safe point; once more ends at once.')
    interruption.abort(new Interrupted(howToGoOn))
  }
  function release() {
    for (const name of SIGNALS) process.off(name, interrupt)
  }
  for (const name of SIGNALS) process.on(name, interrupt)
  try {
    return await work(interruption.signal)
  } finally {
    release()
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
