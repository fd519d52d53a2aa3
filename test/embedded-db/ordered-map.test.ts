import { describe, expect, it } from 'vitest'
import { OrderedMap } from '../../scripts/embedded-db/ordered-map.js'

/** Numbers from 0 to below the limit, the same every time. */
function numbers(limit: number): () => number {
  let state = 42
  return () => {
    state = (state * 48271) % 2147483647
    return state % limit
  }
}

const keyOf = (number: number) => String(number).padStart(6, '0')

function filled(count: number): { map: OrderedMap<number>; sorted: string[] } {
  const map = new OrderedMap<number>()
  const next = numbers(100_000)
  const model = new Map<string, number>()
  for (let at = 0; at < count; at++) {
    const key = keyOf(next())
    if (at % 4 === 3) {
      expect(map.delete(key)).toBe(model.delete(key))
    } else {
      map.set(key, at)
      model.set(key, at)
    }
  }
  expect(map.size).toBe(model.size)
  return { map, sorted: [...model.keys()].sort() }
}

const keysOf = (entries: Iterable<[string, number]>) => Array.from(entries, ([key]) => key)

describe('the ordered map', () => {
  it('keeps its keys in order, through splits and removals, and reads any range both ways', () => {
    const { map, sorted } = filled(20_000)
    expect(keysOf(map.range('', '~'))).toEqual(sorted)
    const next = numbers(110_000)
    for (let round = 0; round < 200; round++) {
      const [from, to] = [keyOf(next()), keyOf(next())].sort() as [string, string]
      const within = sorted.filter(key => key >= from && key < to)
      expect(keysOf(map.range(from, to))).toEqual(within)
      expect(keysOf(map.range(from, to, true))).toEqual(within.toReversed())
      expect(map.first(from)?.[0]).toBe(sorted.find(key => key >= from))
      const error = Math.abs(map.estimate(from, to) - within.length)
      expect(error).toBeLessThan(300 + within.length / 10)
    }
  })

  it('reads each key that stays once while others come and go, both ways', () => {
    for (const backward of [false, true]) {
      const { map, sorted } = filled(8_000)
      const staying = sorted.filter((_, at) => at % 3 === 0)
      const going = sorted.filter((_, at) => at % 3 !== 0)
      const next = numbers(100_000)
      const seen: string[] = []
      for (const [key] of map.range('', '~', backward)) {
        seen.push(key)
        if (seen.length % 5 === 0) map.set(`${keyOf(next())}x`, 0)
        const gone = going.pop()
        if (gone) map.delete(gone)
      }
      const stayed = new Set(staying)
      const expected = backward ? staying.toReversed() : staying
      expect(seen.filter(key => stayed.has(key))).toEqual(expected)
      expect(new Set(seen).size).toBe(seen.length)
    }
  })

  it('can be emptied while it is read', () => {
    const { map, sorted } = filled(2_000)
    for (const backward of [false, true]) {
      const reader = map.range('', '~', backward)
      reader.next()
      for (const key of sorted) map.delete(key)
      expect(reader.next().done).toBe(true)
      expect(map.first('')).toBeUndefined()
      for (const key of sorted) map.set(key, 1)
    }
  })
})
