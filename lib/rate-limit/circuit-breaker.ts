/**
 * Keeps a dependency that fails from costing every request its time-out: after a failure nothing is tried for a
 * pause, then by one caller at a time until it works again.
 */
export class CircuitBreaker {
  /** On the clock; 0 while the dependency works. */
  private openUntil = 0

  /** @param clock milliseconds that only go forward, above 0. */
  constructor(
    private readonly pauseMs: number,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /**
   * The task's value; undefined where it failed or was not tried. Of all that fail together, the first is reported.
   */
  async run<T>(task: () => Promise<T>, report: (failure: unknown) => void): Promise<T | undefined> {
    const now = this.clock()
    if (now < this.openUntil) return undefined
    // The callers that come while this one tries do not wait with it.
    if (this.openUntil > 0) this.openUntil = now + this.pauseMs
    const { openUntil } = this
    try {
      const value = await task()
      this.openUntil = 0
      return value
    } catch (failure) {
      if (this.openUntil === openUntil) {
        this.openUntil = this.clock() + this.pauseMs
        report(failure)
      }
      return undefined
    }
  }
}
