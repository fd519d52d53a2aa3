/** Work that goes on after a response: `waitUntil` of @vercel/functions. */
export interface BackgroundWork {
  /** Resolves when all of it has ended, what it started meanwhile included. */
  settled(): Promise<void>
}

/**
 * Installs the request context that @vercel/functions looks for, as Vercel's runtime does, so that background
 * work is known and can be waited for before the process ends. A failure is printed and hurts nobody.
 */
export function installBackgroundWork(): BackgroundWork {
  const pending = new Set<Promise<void>>()
  const waitUntil = (work: Promise<unknown>): void => {
    const tracked = Promise.resolve(work)
      .then(
        () => undefined,
        error => console.error('Background work failed:', error),
      )
      .finally(() => pending.delete(tracked))
    pending.add(tracked)
  }
  Object.defineProperty(globalThis, Symbol.for('@vercel/request-context'), {
    value: { get: () => ({ waitUntil }) },
    configurable: true,
  })
  return {
    async settled() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
