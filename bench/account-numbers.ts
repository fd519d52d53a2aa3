/** Among how many accounts calls are spread, each with a number of its own. */
export const ACCOUNTS = 200

/** The number that the calls of an account come in on, in E.164. */
export function numberAt(position: number): string {
  return `+9180471${String(position).padStart(5, '0')}`
}
