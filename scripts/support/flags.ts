import type { z } from 'zod'
import { UsageError } from '../dev/usage-error.js'

/**
 * Reads what was given for a flag by the product's own schema.
 *
 * @throws {UsageError} that names the flag.
 */
export function parseFlag<T>(schema: z.ZodType<T>, flag: string, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  if (value === undefined) throw new UsageError(`--${flag} is required`)
  throw new UsageError(`--${flag}: ${parsed.error.issues.map(issue => issue.message).join('; ')}`)
}

/** A comma-separated list, or undefined where the flag was not given. */
export function listOf(value: string | undefined): string[] | undefined {
  return value
    ?.split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}
