import { describe, expect, it } from 'vitest'
import { normaliseBhk } from '../../../lib/domain/leads/bhk.js'

describe('normaliseBhk', () => {
  it.each([
    [1, { bhkType: '1 BHK', bhk: 1 }],
    [2, { bhkType: '2 BHK', bhk: 2 }],
    [3, { bhkType: '3 BHK', bhk: 3 }],
    [4, { bhkType: '4 BHK', bhk: 4 }],
    [0, { bhkType: 'Yet to decide', bhk: 0 }],
    [5, { bhkType: 'Other', bhk: 5 }],
    [3.5, { bhkType: 'Other', bhk: 3.5 }],
  ])('reads the number %d', (bhk, expected) => {
    expect(normaliseBhk(bhk, undefined)).toEqual(expected)
  })

  it.each([
    ['2 BHK', { bhkType: '2 BHK', bhk: 2 }],
    ['1 Bhk', { bhkType: '1 BHK', bhk: 1 }],
    ['2bhk', { bhkType: '2 BHK', bhk: 2 }],
    ['3-BHK', { bhkType: '3 BHK', bhk: 3 }],
    [' 4  bhk apartment', { bhkType: '4 BHK', bhk: 4 }],
    ['2 bedroom', { bhkType: '2 BHK', bhk: 2 }],
    ['3 BR', { bhkType: '3 BHK', bhk: 3 }],
    ['3', { bhkType: '3 BHK', bhk: 3 }],
    ['0', { bhkType: 'Yet to decide', bhk: 0 }],
    ['3.5 BHK', { bhkType: 'Other', bhk: 3.5 }],
    ['5 BHK', { bhkType: 'Other', bhk: 5 }],
    ['duplex', { bhkType: 'Duplex' }],
    ['Duplex villa', { bhkType: 'Duplex' }],
    ['Just Browsing', { bhkType: 'Just Browsing' }],
    ['just looking', { bhkType: 'Just Browsing' }],
    ['Yet to Decide', { bhkType: 'Yet to decide' }],
    ['not sure yet', { bhkType: 'Yet to decide' }],
    ["I don't know", { bhkType: 'Yet to decide' }],
    ['I don’t know', { bhkType: 'Yet to decide' }],
    ['Other', { bhkType: 'Other' }],
  ])('reads the text %j', (text, expected) => {
    expect(normaliseBhk(undefined, text)).toEqual(expected)
  })

  it.each(['2-3 BHK', '2 or 3 bhk', 'Penthouse', '22 rooms', '__proto__'])(
    'keeps a text that is no type (%j) as it was written',
    text => {
      expect(normaliseBhk(undefined, text)).toEqual({ bhkType: 'Other', bhkRaw: text })
    },
  )

  it('lets the text decide the type where both are given, and keeps the number', () => {
    expect(normaliseBhk(2, '3 BHK')).toEqual({ bhkType: '3 BHK', bhk: 2 })
    expect(normaliseBhk(4, 'Duplex')).toEqual({ bhkType: 'Duplex', bhk: 4 })
    expect(normaliseBhk(3, 'villa')).toEqual({ bhkType: 'Other', bhk: 3, bhkRaw: 'villa' })
  })

  it('reads a text where the number belongs, unless there is a text where it belongs', () => {
    expect(normaliseBhk('3 BHK', undefined)).toEqual({ bhkType: '3 BHK', bhk: 3 })
    expect(normaliseBhk('villa', undefined)).toEqual({ bhkType: 'Other', bhkRaw: 'villa' })
    expect(normaliseBhk('villa', '2bhk')).toEqual({ bhkType: '2 BHK', bhk: 2 })
  })

  it('takes nothing at all for undecided', () => {
    expect(normaliseBhk(undefined, undefined)).toEqual({ bhkType: 'Yet to decide' })
  })
})
