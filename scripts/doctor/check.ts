/** One thing that was looked at. Names and rules only: no value of a variable. */
export interface Check {
  name: string
  state: 'ok' | 'warning' | 'failure'
  /** What is there. */
  message: string
  /** What to do, where it is not ok. */
  advice?: string
}

export function ok(name: string, message: string): Check {
  return { name, state: 'ok', message }
}

export function warning(name: string, message: string, advice: string): Check {
  return { name, state: 'warning', message, advice }
}

export function failure(name: string, message: string, advice: string): Check {
  return { name, state: 'failure', message, advice }
}

/**
 * Waits for an answer, but not for ever.
 *
 * @throws {Error} when it did not come in time.
 */
export async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs / 1_000} s`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What kind of failure it was, without what it quotes: addresses, or parts of a connection string. */
export function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown }
  const kind = typeof code === 'string' ? code : error.name === 'Error' ? error.message : error.name
  return typeof responseCode === 'number' ? `${kind} ${responseCode}` : kind
}
