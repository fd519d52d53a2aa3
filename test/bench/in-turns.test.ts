import { expect, it } from 'vitest'
import { inTurns, ratioInRounds } from '../../bench/in-turns.js'

it('takes one sample of each variant in each round, every other round the other way round', async () => {
  const taken: string[] = []
  const samples = await inTurns([{ name: 'a' }, { name: 'b' }], 3, async ({ name }) => taken.push(name))

  expect(taken).toEqual(['a', 'b', 'b', 'a', 'a', 'b'])
  expect(samples).toEqual(
    new Map([
      ['a', [1, 4, 5]],
      ['b', [2, 3, 6]],
    ]),
  )
})

it('compares what was taken in the same round', () => {
  expect(ratioInRounds([1, 20, 300], [1, 10, 100], sample => sample)).toEqual({
    median: 2,
    lower: 1.5,
    upper: 2.5,
  })
})
