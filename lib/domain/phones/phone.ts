import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js'
import { z } from 'zod'

/** Where a number without a country code is taken to be, unless its project says otherwise. */
export const DEFAULT_PHONE_COUNTRY: CountryCode = 'IN'

/** A number in a query: a plus that its client did not encode is a space by now. No number begins with a zero. */
export const QueryPhone = z.string().transform(text => text.replace(/^ (?=[1-9])/, '+'))

/** A country that libphonenumber knows (ISO 3166-1 alpha-2), or undefined for anything else. */
export function phoneCountry(value: unknown): CountryCode | undefined {
  const code = typeof value === 'string' ? value.trim().toUpperCase() : ''
  return isSupportedCountry(code) ? code : undefined
}

/** The digits of the scripts of India, which libphonenumber reads and its port to JavaScript does not. */
const INDIAN_DIGIT =
  /[\u0966-\u096f\u09e6-\u09ef\u0a66-\u0a6f\u0ae6-\u0aef\u0b66-\u0b6f\u0be6-\u0bef\u0c66-\u0c6f\u0ce6-\u0cef\u0d66-\u0d6f]/g

/** A text with those digits as 0 to 9. */
export function withLatinDigits(text: string): string {
  // Unicode has the zero of each of them at a 6.
  return text.replace(INDIAN_DIGIT, digit => String((digit.charCodeAt(0) & 15) - 6))
}

/**
 * The E.164 form of a number as a visitor wrote it, or undefined where it cannot be one. A bare number is
 * national first: `7000000001` is an Indian mobile where the country is India, not a Russian number.
 */
export function normalisePhone(raw: string, country: CountryCode): string | undefined {
  const parsed = parsePhoneNumberFromString(withLatinDigits(raw), country)
  return parsed?.isValid() ? parsed.number : undefined
}

/**
 * A phone number as it was submitted: in E.164, or as it came where it cannot be one.
 *
 * @param countries candidates for a number without a country code; the first that libphonenumber knows is used, else
 *   the default.
 */
export function readPhone(
  raw: string | undefined,
  countries: readonly unknown[],
): { phone?: string; phoneRaw?: string } {
  if (raw === undefined) return {}
  const country = countries.map(phoneCountry).find(known => known !== undefined) ?? DEFAULT_PHONE_COUNTRY
  const phone = normalisePhone(raw, country)
  return phone === undefined ? { phoneRaw: raw } : { phone }
}
