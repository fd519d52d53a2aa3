/**
 * The most bytes of JSON that a page may have. The platform sends at most 4.5 MB at once
 * (https://vercel.com/docs/functions/limitations); the rest is for what is not measured.
 */
export const MAX_PAGE_BYTES = 3_000_000

/** Of what is no text, and of an object without its fields: a number or a date is no longer. */
const MAX_SCALAR_BYTES = 32

/** How many bytes something has as JSON in UTF-8. */
export function jsonBytes(value: object): number {
  return Buffer.byteLength(JSON.stringify(value))
}

/**
 * The size of each item, or undefined where together they fit a page. Ordinary pages are not serialised for it: that
 * would double the cost of their answer.
 */
export function sizesBeyondPage(items: readonly object[]): number[] | undefined {
  if (atMostBytes(items) <= MAX_PAGE_BYTES) return undefined
  const sizes = items.map(jsonBytes)
  return sizes.reduce((sum, size) => sum + size, 0) > MAX_PAGE_BYTES ? sizes : undefined
}

/** How many of the items, from the first one on, a page can hold: one in any case. */
export function countWithinPage(items: readonly object[]): number {
  let left = MAX_PAGE_BYTES
  const tooMany = sizesBeyondPage(items)?.findIndex(size => {
    left -= size
    return left < 0
  })
  return tooMany === undefined ? items.length : Math.max(1, tooMany)
}

/** Upper bound of the JSON size, ten times cheaper than serialising: a character takes at most 6 bytes. */
function atMostBytes(value: unknown): number {
  if (typeof value === 'string') return 6 * value.length + 3
  if (typeof value !== 'object' || value === null) return MAX_SCALAR_BYTES
  let bytes = MAX_SCALAR_BYTES
  if (Array.isArray(value)) for (const item of value) bytes += atMostBytes(item)
  else
    for (const key in value)
      bytes += 6 * key.length + 4 + atMostBytes((value as Record<string, unknown>)[key])
  return bytes
}
