import { inTurns, ratioInRounds } from './in-turns.js'
import { type Spread, spread } from './statistics.js'

/** What is measured of a variant in one round, by the names of the figures. */
export type Figures = Readonly<Record<string, number>>

/** Something other than requests under load, measured of several variants in turns. */
export interface FiguresComparison {
  title: string
  variants: readonly { name: string; measure(): Promise<Figures> }[]
  /** The variant `of` compared to the variant `to`, and the largest ratios that we want to see, by figure. */
  ratio: { label: string; of: string; to: string; aims?: Figures }
}

export interface FiguresResult {
  title: string
  figures: { name: string; spreads: Record<string, Spread> }[]
  ratio: { label: string; spreads: Record<string, Spread>; aims: Figures }
}

/** Measures each variant in each round. */
export async function compareFigures(
  { title, variants, ratio }: FiguresComparison,
  { rounds, signal }: { rounds: number; signal: AbortSignal },
): Promise<FiguresResult> {
  const samples = await inTurns(variants, rounds, variant => {
    signal.throwIfAborted()
    return variant.measure()
  })
  const [of = [], to = []] = [samples.get(ratio.of), samples.get(ratio.to)]
  return {
    title,
    figures: [...samples].map(([name, taken]) => ({
      name,
      spreads: eachOf(Object.keys(taken[0] ?? {}), figure =>
        spread(taken.map(sample => sample[figure] ?? 0)),
      ),
    })),
    ratio: {
      label: ratio.label,
      spreads: eachOf(Object.keys(of[0] ?? {}), figure =>
        ratioInRounds(of, to, sample => sample[figure] ?? 0),
      ),
      aims: ratio.aims ?? {},
    },
  }
}

function eachOf(names: readonly string[], spreadOf: (name: string) => Spread): Record<string, Spread> {
  return Object.fromEntries(names.map(name => [name, spreadOf(name)]))
}
