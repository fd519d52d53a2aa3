import type { Filter } from 'mongodb'
import { z } from 'zod'
import { oneOf } from './data-scope.js'
import type { Lead } from './leads.js'

const TRIGRAM = 3
const MAX_FIELD = 60

/** Of a million phones ten thousand have any three digits in a row, and a tenth of these have the next one too. */
const DIGITS = 4
const THREE_DIGITS = /^\d{3}$/
const FOUR_DIGITS = /^\d{4}$/

/**
 * Folds text to what search compares: lower case, without accents, everything but letters and digits as one space.
 * "O'Brien" and "o brien", "lakeview.example" and "lakeview example" are the same.
 */
function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

/** A phone number in any format: its digits, without the zero that national formats begin with. */
function digitsOf(text: string): string | undefined {
  return /^[\s\d()+./-]+$/.test(text) ? text.replace(/\D/g, '').replace(/^0+/, '') : undefined
}

/** What is searched for, folded like what is searched: at least three characters of it. */
export const SearchText = z
  .string()
  .max(100)
  .transform(text => digitsOf(text) || fold(text))
  .refine(folded => folded.length >= TRIGRAM, 'must have at least 3 letters or digits')

/** The searchable part of a lead and the keys that find it: phone, name, microsite, campaign. */
export function searchFieldsOf(lead: Pick<Lead, 'phone' | 'phoneRaw' | 'name' | 'microsite' | 'metadata'>): {
  searchText: string
  searchKeys: string[]
} {
  const { phone, phoneRaw, name, microsite, metadata } = lead
  const utm = at(at(metadata, 'visitor'), 'utm')
  const digits = (phone ?? phoneRaw ?? '').replace(/\D/g, '')
  const words = [name, microsite, at(utm, 'source'), at(utm, 'campaign')].map(value =>
    typeof value === 'string' ? fold(value).slice(0, MAX_FIELD) : '',
  )
  const searchText = [digits, ...words].filter(word => word !== '').join(' ')
  return { searchText, searchKeys: searchKeysOf(searchText) }
}

/**
 * Leads that contain a folded text: its last key finds them on the index, the text decides. The last, since numbers
 * and names begin alike more often than they end alike.
 */
export function matchingSearch(folded: string): Filter<Lead> {
  // Letters, digits and spaces: nothing that a regular expression would read as more than itself.
  return { searchKeys: oneOf(lastKeysOf(folded)), searchText: { $regex: folded } }
}

/** The key of every place in a text. */
function searchKeysOf(text: string): string[] {
  const keys = new Set<string>()
  for (let place = 0; place + TRIGRAM <= text.length; place += 1) keys.add(keyAt(text, place))
  return [...keys]
}

/** Four digits where there are as many, else three characters. */
function keyAt(text: string, place: number): string {
  const four = text.slice(place, place + DIGITS)
  return FOUR_DIGITS.test(four) ? four : four.slice(0, TRIGRAM)
}

/** What the key may be at the last place where a text has one: that of three digits depends on what follows. */
function lastKeysOf(text: string): string[] {
  const four = text.slice(-DIGITS)
  if (FOUR_DIGITS.test(four)) return [four]
  const three = text.slice(-TRIGRAM)
  return THREE_DIGITS.test(three) ? [three, ...Array.from('0123456789', digit => three + digit)] : [three]
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}
