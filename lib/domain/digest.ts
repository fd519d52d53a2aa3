import { hash } from 'node:crypto'

/** The SHA-256 of a value as JSON: what ids and keys are derived from. */
export function digestOf(value: unknown): Buffer {
  return hash('sha256', JSON.stringify(value), 'buffer')
}
