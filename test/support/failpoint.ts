import { AsyncLocalStorage } from 'node:async_hooks'
import { Collection } from 'mongodb'
import { vi } from 'vitest'

const WRITES = [
  'insertOne',
  'updateOne',
  'updateMany',
  'findOneAndUpdate',
  'deleteOne',
  'deleteMany',
  'bulkWrite',
] as const

type Write = (this: Collection, ...args: unknown[]) => Promise<unknown>

/** What some work does before each of its writes, which are numbered from 0. */
type BeforeWrite = (number: number) => Promise<void>

interface Work {
  before: BeforeWrite
  writes: number
  /** Those of its writes that are on their way. */
  sent: Set<Promise<unknown>>
}

const works = new AsyncLocalStorage<Work>()

/** Does some work with something before each of its writes; whatever else goes on is let alone. */
function withWrites<T>(before: BeforeWrite, work: () => Promise<T>): Promise<T> {
  for (const name of WRITES) {
    const collections = Collection.prototype as unknown as Record<string, Write>
    const write = collections[name]
    if (!write || vi.isMockFunction(write)) continue
    vi.spyOn(collections, name).mockImplementation(async function (this: Collection, ...args) {
      const store = works.getStore()
      if (store) await store.before(store.writes++)
      const writing = write.apply(this, args)
      store?.sent.add(writing)
      return writing
    })
  }
  const store: Work = { before, writes: 0, sent: new Set() }
  // Work that fails may leave others of its writes on their way: the database has them once it is over.
  return works.run(store, work).finally(() => Promise.allSettled(store.sent))
}

/** What a write fails with that a crash kept from being sent. */
class Crashed extends Error {}

/**
 * Does some work in a process that ends after so many writes: those before are in the database, and nothing comes
 * after. Says whether the work was done before that.
 */
export async function crashAfterWrites(
  count: number,
  work: () => Promise<unknown>,
): Promise<'done' | 'crashed'> {
  const crash: BeforeWrite = async number => {
    if (number >= count) throw new Crashed('the process has ended')
  }
  try {
    await withWrites(crash, work)
    return 'done'
  } catch (error) {
    if (error instanceof Crashed) return 'crashed'
    throw error
  }
}

/**
 * Does some work up to its next write after so many. `finish` lets it go on, and gives what it gives. `paused` is
 * false where it was done before.
 */
export async function pauseAfterWrites<T>(
  count: number,
  work: () => Promise<T>,
): Promise<{ paused: boolean; finish(): Promise<T> }> {
  let resume = () => {}
  const resumed = new Promise<void>(resolve => {
    resume = resolve
  })
  let arrive = () => {}
  const arrived = new Promise<'paused'>(resolve => {
    arrive = () => resolve('paused')
  })
  const pause: BeforeWrite = async number => {
    if (number !== count) return
    arrive()
    await resumed
  }
  const working = withWrites(pause, work)
  const first = await Promise.race([arrived, working.then(() => 'done')])
  return {
    paused: first === 'paused',
    finish() {
      resume()
      return working
    },
  }
}
