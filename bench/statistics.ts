/** A median and the quartiles around it: the middle half of what was measured. */
export interface Spread {
  median: number
  lower: number
  upper: number
}

/**
 * The value below which this part (0 to 1) of the values lies, interpolated between neighbours.
 *
 * @throws {RangeError} without values.
 */
export function quantile(values: readonly number[] | Float64Array, part: number): number {
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * part
  const below = sorted[Math.floor(position)]
  const above = sorted[Math.ceil(position)]
  if (below === undefined || above === undefined) throw new RangeError('a quantile of no values')
  return below + (above - below) * (position - Math.floor(position))
}

/** The median and the quartiles of the values. */
export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), lower: quantile(values, 0.25), upper: quantile(values, 0.75) }
}
