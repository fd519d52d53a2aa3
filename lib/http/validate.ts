import type { z } from 'zod'
import { AppError, type ErrorDetail } from '../errors.js'

const MAX_DETAILS = 20

/**
 * Parses input through its schema.
 *
 * @throws {AppError} `invalid_request` with a detail for each field that is wrong; `prefix` says where the
 *   input was (`query.limit`), and is empty for a body.
 */
export function validate<T>(schema: z.ZodType<T>, input: unknown, prefix = ''): T {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const details = parsed.error.issues.flatMap(issue => explain(issue, prefix ? [prefix] : []))
  const [first] = details
  const sentence = first && (first.path ? `${first.path}: ${first.message}` : first.message)
  throw new AppError('invalid_request', sentence, { details: details.slice(0, MAX_DETAILS) })
}

/** A union fails with the issues of every branch: the branch that got furthest is the one that was meant. */
function explain(issue: z.core.$ZodIssue, at: readonly PropertyKey[]): ErrorDetail[] {
  const path = [...at, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [meant] = [...issue.errors].sort((a, b) => progress(b) - progress(a))
    return (meant ?? []).flatMap(inner => explain(inner, path))
  }
  return [{ path: path.map(String).join('.'), message: issue.message }]
}

/** How deep a branch got; one that fits but for its size got further than one of another type altogether. */
function progress(branch: readonly z.core.$ZodIssue[]): number {
  const steps = branch.map(issue => issue.path.length + (issue.code === 'invalid_type' ? 0 : 0.5))
  return Math.max(...steps)
}
