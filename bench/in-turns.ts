import { type Spread, spread } from './statistics.js'

/**
 * Takes a sample of each variant in each round, every other round in reverse (A B, B A, …): what slows the machine
 * down slows down all of them, and none has always the place behind another.
 */
export async function inTurns<V extends { name: string }, S>(
  variants: readonly V[],
  rounds: number,
  sample: (variant: V) => Promise<S>,
): Promise<Map<string, S[]>> {
  const samples = new Map<string, S[]>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? variants : variants.toReversed()
    for (const variant of order) samples.get(variant.name)?.push(await sample(variant))
  }
  return samples
}

/** Each round gives one ratio of a figure of two variants; this is what the rounds gave. */
export function ratioInRounds<S>(of: readonly S[], to: readonly S[], figure: (sample: S) => number): Spread {
  return spread(of.map((sample, round) => figure(sample) / figure(to[round] ?? sample)))
}
