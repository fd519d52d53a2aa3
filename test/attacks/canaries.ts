import { randomBytes } from 'node:crypto'

export type Role = 'victim' | 'attacker'

const RUN = randomBytes(4).toString('hex')
const CANARY = new RegExp(`canary-victim-[a-z-]+-${RUN}|7654321`, 'g')

/** A text of somebody's that nobody else may ever be sent. */
export function canary(role: Role, label: string): string {
  return `canary-${role}-${label}-${RUN}`
}

/** A count of somebody's: whatever others have, no sum with the victim's hides it. */
export function countOf(role: Role): number {
  return role === 'victim' ? 7_654_321_000_000 : 1
}

/** What only the victim may be sent, in a text. */
export function canariesIn(text: string): string[] {
  return [...new Set(text.match(CANARY) ?? [])]
}
