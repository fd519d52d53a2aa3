/** Chance that is the same each time for the same seed. */
export interface Random {
  /** 0 up to but not including 1. */
  share(): number
  /** Whole, both ends included. */
  between(from: number, to: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly [T, ...T[]]): T
}

/** A generator that begins with a text; mulberry32, which is plenty for a demonstration. */
export function randomFrom(text: string): Random {
  let state = 2_166_136_261
  // FNV-1a: any text becomes a state of its own.
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 16_777_619)
  function share(): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (from: number, to: number) => from + Math.floor(share() * (to - from + 1))
  return {
    share,
    between,
    chance: probability => share() < probability,
    pick: items => items[between(0, items.length - 1)] ?? items[0],
  }
}
