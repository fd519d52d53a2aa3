import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { countWithinPage, jsonBytes, MAX_PAGE_BYTES, sizesBeyondPage } from '../../lib/db/page-size.js'
import { storedLead } from '../support/fixtures/leads.js'

describe('the size of a page', () => {
  it('is found out for an ordinary one without writing it out', () => {
    const conversation = Array.from({ length: 10 }, (_, i) => ({
      id: `m${i}`,
      type: 'user',
      text: 'What does a flat of two rooms by the lake cost?',
      timestamp: 1_795_326_992_101,
    }))
    const page = Array.from({ length: 50 }, () => storedLead({ conversation }))
    const stringify = vi.spyOn(JSON, 'stringify')

    expect(sizesBeyondPage(page)).toBeUndefined()
    expect(stringify).not.toHaveBeenCalled()
  })

  it('is that of its JSON in bytes, whatever is in it', () => {
    const hostile = fc.string({ unit: 'binary', maxLength: 500 })
    const control = fc.nat(500).map(length => '\u0001'.repeat(length))
    const value = fc.oneof(hostile, control, fc.date(), fc.double(), fc.jsonValue())
    const fields = fc.dictionary(fc.oneof(hostile, fc.constantFrom('a', '\0')), value)
    const item = fields.map(one => ({ many: Array(300).fill(one) }))
    fc.assert(
      fc.property(item, one => {
        const count = Math.floor(MAX_PAGE_BYTES / jsonBytes(one))
        expect(sizesBeyondPage(Array(count).fill(one))).toBeUndefined()
        expect(sizesBeyondPage(Array(count + 1).fill(one))).toHaveLength(count + 1)
        expect(countWithinPage(Array(count + 1).fill(one))).toBe(count)
      }),
      { numRuns: 10, seed: 7 },
    )
  })

  it('lets one item through that is too large by itself: a list has to go on', () => {
    const item = { text: 'x'.repeat(MAX_PAGE_BYTES) }
    expect(countWithinPage([item, item])).toBe(1)
    expect(countWithinPage([])).toBe(0)
  })
})
