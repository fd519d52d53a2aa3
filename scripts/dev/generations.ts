import { setTimeout as delay } from 'node:timers/promises'
import type { Generation } from './generation.js'

/** The newest state of the sources, and those before it that still have requests to answer. */
export interface Generations {
  /**
   * Does a request's work on the newest state. While that is starting, the request waits.
   *
   * @throws what the newest state could not be started for, until it is mended.
   */
  run<T>(work: (generation: Generation) => Promise<T>): Promise<T>
  /** Starts a new one for the requests to come. The one before answers those it has, and ends. */
  renew(): Promise<Generation>
  /** Ends all of them, when their requests are answered or after `patienceMs`. */
  finish(patienceMs: number): Promise<void>
}

/** Keeps what `start` makes. Nothing is started before `renew` or the first request. */
export function keepGenerations(start: () => Promise<Generation>): Generations {
  let newest: Promise<Generation> | undefined
  const finishing = new Set<Promise<void>>()

  function renew(): Promise<Generation> {
    const previous = newest
    const started = start()
    newest = started
    started.then(({ ended }) => ended.then(how => noteEnd(started, how))).catch(() => {})
    if (previous) {
      const finished = Promise.allSettled([previous, started])
        .then(async ([before]) => {
          if (before.status === 'fulfilled') await before.value.finish()
        })
        .finally(() => finishing.delete(finished))
      finishing.add(finished)
    }
    return started
  }

  function noteEnd(started: Promise<Generation>, how: string): void {
    if (newest !== started) return
    newest = undefined
    console.error(`The functions' process ended ${how}. The next request starts a new one.`)
  }

  return {
    renew,
    async run(work) {
      for (;;) {
        const current: Promise<Generation> = newest ?? renew()
        const [outcome] = await Promise.allSettled([current])
        if (newest !== undefined && newest !== current) continue
        if (outcome.status === 'rejected') throw outcome.reason
        return outcome.value.run(() => work(outcome.value))
      }
    },
    async finish(patienceMs) {
      const last = newest
      newest = undefined
      const before = Promise.race([Promise.all(finishing), delay(patienceMs, undefined, { ref: false })])
      await Promise.all([
        before,
        last?.then(
          generation => generation.finish(patienceMs),
          () => {},
        ),
      ])
    },
  }
}
