/**
 * What a piece of work comes to, or undefined where it takes longer than that: it goes on then, and its
 * failure is nobody's unless somebody else waits for it.
 *
 * @throws whatever the work fails with in time.
 */
export async function withTimeout<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>(resolve => {
    timer = setTimeout(resolve, milliseconds, undefined)
  })
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
  }
}
