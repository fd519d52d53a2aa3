import { z } from 'zod'

/** The times of a turn that the voice agent measures, in milliseconds: fields of its `metadata`. */
export const TURN_METRICS = ['transcriptionTime', 'responseTime', 'ttsTime', 'totalProcessingTime'] as const

/** Percentiles by nearest rank: each is a time that was measured. Null where none was. */
const Percentiles = z.object({ p50: z.number(), p95: z.number() }).nullable()

/** How long the turns of a call took, in milliseconds. */
export const ConversationMetrics = z.record(z.enum(TURN_METRICS), Percentiles)
export type ConversationMetrics = z.infer<typeof ConversationMetrics>

/** Summarises what was measured of turns, by their metadata. */
export function summariseMetrics(
  turns: readonly (Readonly<Record<string, unknown>> | null | undefined)[],
): ConversationMetrics {
  const percentiles = TURN_METRICS.map(name => {
    const values = turns.flatMap(metadata => {
      const value = metadata?.[name]
      return typeof value === 'number' && Number.isFinite(value) ? [value] : []
    })
    return [name, percentilesOf(values)]
  })
  return Object.fromEntries(percentiles) as ConversationMetrics
}

function percentilesOf(values: number[]): z.infer<typeof Percentiles> {
  const sorted = values.toSorted((a, b) => a - b)
  const [p50, p95] = [nearestRank(sorted, 0.5), nearestRank(sorted, 0.95)]
  return p50 === undefined || p95 === undefined ? null : { p50, p95 }
}

/** The smallest value that at least this share of the values does not exceed. */
function nearestRank(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.ceil(share * sorted.length) - 1]
}
