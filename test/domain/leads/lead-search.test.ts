import fc from 'fast-check'
import { expect, it } from 'vitest'
import { matchingSearch, SearchText, searchFieldsOf } from '../../../lib/domain/leads/lead-search.js'

/** Few characters, so that digits and letters meet in every way. */
const name = fc.string({ unit: fc.constantFrom('1', '2', '3', '4', 'q', ' ', 'क'), maxLength: 20 })
const phone = fc.string({ unit: fc.constantFrom('1', '2', '3'), minLength: 3, maxLength: 15 })

it('any part of what a lead has leads to one of its keys', () => {
  fc.assert(
    fc.property(phone, name, fc.nat(), fc.nat(), (digits, text, from, length) => {
      const { searchText, searchKeys } = searchFieldsOf({
        phone: `+${digits}`,
        name: text,
        microsite: '',
        metadata: {},
      })
      const start = from % (searchText.length - 2)
      const part = searchText.slice(start, start + 3 + (length % searchText.length))
      const forms = SearchText.safeParse(part).data ?? []
      fc.pre(forms.includes(part))

      const { searchKeys: asked } = matchingSearch(forms)
      const keys = typeof asked === 'string' ? [asked] : (asked as { $in: string[] }).$in
      expect(searchKeys.filter(key => keys.includes(key))).not.toEqual([])
    }),
    { numRuns: 2_000 },
  )
})
