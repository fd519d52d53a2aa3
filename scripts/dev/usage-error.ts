/** Something the person at the terminal has to change: its message is all there is to say, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
