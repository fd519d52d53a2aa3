import { describe, expect, it } from 'vitest'
import type { IndexDefinition } from '../../lib/db/collection.js'
import { compareIndexes } from '../../lib/db/index-drift.js'

const partial = { a: { $exists: true } }
const declared: IndexDefinition = {
  name: 'i',
  key: { a: 1, b: -1 },
  unique: true,
  partialFilterExpression: partial,
}
const stored = { v: 2, name: 'i', key: { a: 1, b: -1 } as Record<string, 1 | -1>, unique: true }
const idIndex = { v: 2, name: '_id_', key: { _id: 1 as const } }

describe('an index', () => {
  it('is the same whatever a server adds to it', () => {
    const actual = [idIndex, { ...stored, partialFilterExpression: partial, sparse: false, background: true }]

    expect(compareIndexes([declared], actual)).toEqual([{ name: 'i', state: 'same' }])
  })

  it.each([
    ['key', { key: { b: -1, a: 1 } }],
    ['key', { key: { a: 1 } }],
    ['key', { key: { a: 1, b: 1 } }],
    ['unique', { unique: false }],
    ['sparse', { sparse: true }],
    ['partialFilterExpression', { partialFilterExpression: { a: { $gt: '' } } }],
    ['expireAfterSeconds', { expireAfterSeconds: 0 }],
    ['collation', { collation: { locale: 'en' } }],
    ['hidden', { hidden: true }],
    ['unique, hidden', { unique: undefined, hidden: true }],
  ])('differs in its %s: %j', (difference, change) => {
    const actual = { ...stored, partialFilterExpression: partial, ...change }

    expect(compareIndexes([declared], [idIndex, actual as never])).toEqual([
      { name: 'i', state: 'differs', difference, inTheWay: 'i' },
    ])
  })

  it('may be there under another name, be missing, or be declared by nobody', () => {
    const others: IndexDefinition[] = [declared, { name: 'j', key: { c: 1 } }]
    const alias = { ...stored, name: 'a_1_b_-1', partialFilterExpression: partial }

    expect(compareIndexes(others, [idIndex, alias, { v: 2, name: 'k', key: { d: 1 } }])).toEqual([
      { name: 'i', state: 'differs', difference: 'is there as a_1_b_-1', inTheWay: 'a_1_b_-1' },
      { name: 'j', state: 'missing' },
      { name: 'k', state: 'undeclared' },
    ])
  })
})
