import { describe, expect, it } from 'vitest'
import { DEFAULT_PHONE_COUNTRY, normalisePhone, phoneCountry } from '../../../lib/domain/phones/phone.js'

describe('normalisePhone', () => {
  it.each([
    ['E.164 already', '+919876501234'],
    ['national', '9876501234'],
    ['with the trunk prefix', '09876501234'],
    ['with the country code and no plus', '919876501234'],
    ['with the international prefix', '00919876501234'],
    ['with spaces and dashes', ' +91 98765-01234 '],
    ['with brackets and dots', '(98765) 01.234'],
    ['with a no-break space, as pages are copied', '98765\u00a001234'],
    ['with words around it', 'call me on 98765 01234 please'],
    ['in full-width digits', '９８７６５０１２３４'],
    ['in Devanagari digits', '९८७६५ ०१२३४'],
    ['in Tamil digits', '+௯௧ ௯௮௭௬௫௦௧௨௩௪'],
    ['with an extension, which E.164 has no place for', '98765 01234 ext. 7'],
  ])('reads a number %s', (_, raw) => {
    expect(normalisePhone(raw, 'IN')).toBe('+919876501234')
  })

  it('takes 7000000001 for an Indian mobile, not for a Russian number', () => {
    expect(normalisePhone('7000000001', DEFAULT_PHONE_COUNTRY)).toBe('+917000000001')
  })

  it('reads the same digits in the country that is given', () => {
    expect(normalisePhone('0501234567', 'AE')).toBe('+971501234567')
    expect(normalisePhone('2025550123', 'US')).toBe('+12025550123')
  })

  it('keeps the country of a number that names one', () => {
    expect(normalisePhone('+44 7911 123456', 'IN')).toBe('+447911123456')
    expect(normalisePhone('0044 7911 123456', 'IN')).toBe('+447911123456')
  })

  it.each(['12345', '+91 123', '98765012345678', 'asdf', '-', '', '+', '1e+21'])(
    'finds no number in %j',
    raw => {
      expect(normalisePhone(raw, 'IN')).toBeUndefined()
    },
  )
})

describe('phoneCountry', () => {
  it('reads a country code in any case', () => {
    expect(phoneCountry(' ae ')).toBe('AE')
  })

  it.each(['UK', 'India', '+91', '', 91, null, undefined, {}, ['IN'], '__proto__', 'constructor'])(
    'knows no country %j',
    value => {
      expect(phoneCountry(value)).toBeUndefined()
    },
  )
})
