import { hash } from 'node:crypto'
import { ObjectId } from 'mongodb'

/** The SHA-256 of a value as JSON: what ids and keys are derived from. */
export function digestOf(value: unknown): Buffer {
  return hash('sha256', JSON.stringify(value), 'buffer')
}

/** The id of what a digest is of: its first 12 bytes. */
export function objectIdOf(digest: Buffer): ObjectId {
  return new ObjectId(digest.subarray(0, 12))
}
