import { invalidField } from '../errors.js'

/**
 * What `If-Match` asks for (RFC 9110, section 13.1.1), whose strong tags are revisions here: `"7"`, or `*` for whatever
 * is stored. Undefined without the header.
 *
 * @throws {AppError} `invalid_request` for anything else, an `ETag` too.
 */
export function readIfMatch(header: string | null): 'any' | number[] | undefined {
  const text = header?.trim()
  if (!text) return undefined
  if (text === '*') return 'any'
  const tags = text.split(',').map(tag => /^\s*"(\d{1,15})"\s*$/.exec(tag)?.[1])
  if (tags.includes(undefined)) throw invalidField('headers.if-match', 'must be a revision like "7", or *')
  return tags.map(Number)
}
