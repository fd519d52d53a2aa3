/** How much of what is left is read at a time. */
export const BATCH = 500

/**
 * Works off what crashes left, a batch at a time, until one is not full. Returns how much.
 *
 * @param findBatch finds the oldest of it, at most `BATCH`; what is done is not found again.
 * @param shouldStop whether to end before the next one.
 */
export async function workOff<T>(
  findBatch: () => Promise<T[]>,
  work: (item: T) => Promise<void>,
  shouldStop: () => boolean,
): Promise<number> {
  let done = 0
  for (;;) {
    const left = await findBatch()
    for (const item of left) {
      if (shouldStop()) return done
      await work(item)
      done += 1
    }
    if (left.length < BATCH) return done
  }
}
