import { Int32 } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { encode } from '../../scripts/embedded-db/codec.js'
import { readIndexSpec } from '../../scripts/embedded-db/index-spec.js'
import { Store } from '../../scripts/embedded-db/store.js'
import { removeExpired } from '../../scripts/embedded-db/ttl.js'
import type { Value } from '../../scripts/embedded-db/values.js'

const noon = Date.UTC(2024, 0, 1, 12)
const secondsFromNoon = (seconds: number) => new Date(noon + seconds * 1000)

describe('expiry', () => {
  it.each([1, -1])(
    'goes to the millisecond, by the earliest date, in an index of direction %i',
    direction => {
      const store = new Store()
      const collection = store.ensure('x', 'rows')
      const expireAfterSeconds = new Int32(60)
      const key = { at: new Int32(direction) }
      store.addIndexes(collection, [readIndexSpec({ name: 'expiry', key, expireAfterSeconds })])
      const dates: Record<string, Value> = {
        over: secondsFromNoon(-3600),
        'over just now': secondsFromNoon(-60),
        'a millisecond left': new Date(noon - 59_999),
        'in future': secondsFromNoon(3600),
        'one of two over': [secondsFromNoon(3600), secondsFromNoon(-61), secondsFromNoon(-3600)],
        'none of two over': [secondsFromNoon(3600), secondsFromNoon(0)],
        'no date': 'long ago',
        'a number': new Int32(0),
        nothing: null,
      }
      for (const [_id, at] of Object.entries(dates)) {
        const document = { _id, at }
        collection.insert(document, encode(document))
      }
      expect(removeExpired(store, new Date(noon))).toBe(3)
      const kept = ['a millisecond left', 'in future', 'none of two over', 'no date', 'a number', 'nothing']
      expect(Array.from(collection.entries.values(), ({ document }) => document)).toEqual(
        kept.map(_id => ({ _id, at: dates[_id] })),
      )
    },
  )
})
