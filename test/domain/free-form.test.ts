import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { CapturedFreeForm } from '../../lib/domain/free-form.js'

const captureFreeForm = (value: unknown) => CapturedFreeForm.parse(value)

/** As it arrives: only `JSON.parse` makes an own key `__proto__`. */
const capture = (json: string) => captureFreeForm(JSON.parse(json))

/** Levels of objects and arrays. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

describe('free-form data that is captured', () => {
  it('keeps what widgets send as it is', () => {
    const metadata = {
      name: 'Test Visitor',
      visitor: { utm: { source: 'google' }, firstSeenAt: '2026-11-22T05:56:30.119Z' },
      tags: ['a', 1, true, null, { nested: [] }],
      empty: {},
      '2 BHK': '₹ 85 L',
    }
    expect(captureFreeForm(metadata)).toEqual(metadata)
  })

  it.each(['$where', 'a.b', '.', '$', 'nul\0byte', '', 'constructor', 'prototype', '_bsontype'])(
    'keeps the value of the key %j as a pair, at any level',
    key => {
      const value = { stays: 1 }
      expect(captureFreeForm({ [key]: value, b: 2 })).toEqual({ b: 2, legacy: [{ key, value }] })
      expect(captureFreeForm({ in: [{ [key]: value }] })).toEqual({ in: [{ legacy: [{ key, value }] }] })
    },
  )

  it('reaches no prototype through __proto__', () => {
    const captured = capture('{"__proto__": {"admin": true}, "in": {"__proto__": 1}}')
    expect(Object.getPrototypeOf(captured)).toBe(Object.prototype)
    expect(captured).toEqual({
      in: { legacy: [{ key: '__proto__', value: 1 }] },
      legacy: [{ key: '__proto__', value: { admin: true } }],
    })
    expect('admin' in captured).toBe(false)
  })

  it('can always be stored, keys that mean something to the driver included', () => {
    const hostile =
      '{"_bsontype": "ObjectId", "toBSON": 1, "in": {"_bsontype": "Long"}, "a.b": {"$ref": "x", "$id": 1}}'
    expect(() => BSON.serialize(capture(hostile))).not.toThrow()
  })

  it('looks into the values of pairs too', () => {
    expect(captureFreeForm({ 'a.b': { $where: 'x', list: [{ _bsontype: 'Long' }] } })).toEqual({
      legacy: [
        {
          key: 'a.b',
          value: {
            list: [{ legacy: [{ key: '_bsontype', value: 'Long' }] }],
            legacy: [{ key: '$where', value: 'x' }],
          },
        },
      ],
    })
  })

  it('adds pairs to those that are there', () => {
    const earlier = { key: 'a.b', value: 1 }
    expect(captureFreeForm({ legacy: [earlier], 'c.d': 2 })).toEqual({
      legacy: [earlier, { key: 'c.d', value: 2 }],
    })
  })

  it('leaves a `legacy` of another type alone, and keeps it as a pair where the name is needed', () => {
    expect(captureFreeForm({ legacy: 'text' })).toEqual({ legacy: 'text' })
    expect(captureFreeForm({ legacy: 'text', $a: 1 })).toEqual({
      legacy: [
        { key: 'legacy', value: 'text' },
        { key: '$a', value: 1 },
      ],
    })
  })

  it('keeps what is no object as a pair, and nothing as an empty object', () => {
    expect(captureFreeForm('text')).toEqual({ legacy: [{ key: '', value: 'text' }] })
    expect(captureFreeForm([1, { $a: 2 }])).toEqual({
      legacy: [{ key: '', value: [1, { legacy: [{ key: '$a', value: 2 }] }] }],
    })
    expect(captureFreeForm(undefined)).toEqual({})
    expect(captureFreeForm(null)).toEqual({})
  })

  it('cuts off what is too deep, and says so', () => {
    const deep = capture(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)
    expect(deep.truncated).toBe(true)
    expect(depthOf(deep)).toBe(8)
    expect(depthOf(capture(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))).toBe(8)
  })

  it('cuts off keys and elements past the 300th', () => {
    const keys = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, i]))
    const captured = captureFreeForm(keys)
    expect(captured).toMatchObject({ k0: 0, k299: 299, truncated: true })
    expect(captured).not.toHaveProperty('k300')

    const { list, after, truncated } = captureFreeForm({ list: Array(100_000).fill(0), after: 1 })
    expect(list).toHaveLength(299)
    expect(after).toBeUndefined()
    expect(truncated).toBe(true)
  })

  it('cuts off characters past the 16,000th, keys included', () => {
    const { text } = captureFreeForm({ text: 'x'.repeat(20_000) })
    expect(text).toHaveLength(16_000 - 'text'.length)

    const longKeys = captureFreeForm({ ['x'.repeat(15_990)]: 1, more: 'text of more than six characters' })
    expect(longKeys).toEqual({ ['x'.repeat(15_990)]: 1, more: 'text o', truncated: true })
    expect(captureFreeForm({ ['x'.repeat(16_001)]: 1 })).toEqual({ truncated: true })
  })

  it('does not call whole what was cut, nor cut what is within the bounds', () => {
    const within = { list: Array(299).fill('x'.repeat(50)) }
    expect(captureFreeForm(within)).toEqual(within)
  })
})
