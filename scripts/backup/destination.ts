import { text } from 'node:stream/consumers'
import { UsageError } from '../dev/usage-error.js'
import type { Flags, Typed } from '../support/command.js'
import { describeTarget, type Target } from '../support/target.js'

/** The flag of scripts that may write to another database than the configured one. */
export const TO_FLAG = {
  to: {
    type: 'string',
    value: 'URI',
    help: 'another database to write to; - reads its address from standard input, as no process list shows it',
  },
} as const satisfies Flags

/**
 * The database of `--to`, if it was given.
 *
 * @throws {UsageError} without any part of an address that cannot be read.
 */
export async function readDestination(typed: Typed): Promise<Target | undefined> {
  const given = typed.text('to')
  if (given === undefined) return undefined
  if (given === '-' && process.stdin.isTTY)
    throw new UsageError('--to - reads the address from standard input: pipe it in')
  const uri = given === '-' ? (await text(process.stdin)).trim() : given
  try {
    return describeTarget(uri)
  } catch {
    throw new UsageError('--to: is not a connection string that the driver can read')
  }
}
