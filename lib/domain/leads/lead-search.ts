import type { Filter } from 'mongodb'
import { z } from 'zod'
import { oneOf } from '../data-scope.js'
import type { Lead } from './leads.js'

const TRIGRAM = 3
/** So much of a field is searched, and searched for: what is longer begins alike. */
const MAX_FIELD = 60

/** A number of so many digits is a phone, whatever separates them. */
const PHONE_DIGITS = 10

/** Of a million phones ten have any seven digits in a row, and a thousand any four. */
const NUMBERS = [7, 4]
const DIGITS_ONLY = /^\d+$/
const THREE_DIGITS = /^\d{3}$/
/** From the most to the least frequent in names, hosts and campaigns. Digits and other scripts are rarer still. */
const LETTERS = ' aeinorstlhmdcukgpbyvwjfzxq'

/**
 * Folds text to what search compares: lower case, without accents, everything but letters and digits as one space.
 * "O'Brien" and "o brien", "lakeview.example" and "lakeview example" are the same. Accents are marks of no script of
 * their own: those that belong to one, as the vowels of Indian scripts do, are letters to who reads it.
 */
function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{Script=Inherited}+/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim()
}

/** A phone number in any format: its digits, without the zeros that some begin with, while enough are left. */
function digitsOf(text: string): string | undefined {
  return /^[\s\d()+./-]+$/.test(text) ? text.replace(/\D/g, '').replace(/^0+(?=\d{3})/, '') : undefined
}

/** The forms that a text may be found in: a number may be part of a phone, and of a campaign (`2025-11`) too. */
function formsOf(text: string): string[] {
  const [digits, folded] = [digitsOf(text), fold(text).slice(0, MAX_FIELD)]
  if (!digits) return [folded]
  return digits.length >= PHONE_DIGITS || folded.includes(digits) ? [digits] : [digits, folded]
}

/** What is searched for, in each form that it may have, folded like what is searched: at least three characters. */
export const SearchText = z
  .string()
  .max(100)
  .transform(formsOf)
  .refine(([form = '']) => form.length >= TRIGRAM, 'must have at least 3 letters or digits')

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

/** Leads that contain one of the forms of a text: the rarest key of each finds them on the index, the text decides. */
export function matchingSearch(forms: readonly string[]): Filter<Lead> {
  // Letters, their marks, digits and spaces: nothing that a regular expression would read as more than itself.
  const contains = forms.map(form => ({ searchText: { $regex: form } }))
  return { searchKeys: oneOf(forms.flatMap(keysThatFind)), $or: contains }
}

/** The keys of every place in a text. */
function searchKeysOf(text: string): string[] {
  const keys = new Set<string>()
  for (let place = 0; place + TRIGRAM <= text.length; place += 1)
    for (const key of keysAt(text, place)) keys.add(key)
  return [...keys]
}

/** Seven digits and four where there are as many, else three characters. */
function keysAt(text: string, place: number): string[] {
  const numbers = NUMBERS.map(length => text.slice(place, place + length)).filter(
    (key, i) => key.length === NUMBERS[i] && DIGITS_ONLY.test(key),
  )
  return numbers.length > 0 ? numbers : [text.slice(place, place + TRIGRAM)]
}

/** The rarest key of a text, or, since that of three digits depends on what follows them, those that it may be. */
function keysThatFind(text: string): string[] {
  if (THREE_DIGITS.test(text)) return [text, ...Array.from('0123456789', digit => text + digit)]
  const keys = searchKeysOf(text).filter(key => !(THREE_DIGITS.test(key) && text.endsWith(key)))
  // The last of those that are as rare: numbers begin alike more often than they end alike.
  return [keys.reduce((rarest, key) => (rarityOf(key) >= rarityOf(rarest) ? key : rarest))]
}

function rarityOf(key: string): number {
  let rarity = 0
  for (const character of key) {
    const place = LETTERS.indexOf(character)
    rarity += place === -1 ? 2 * LETTERS.length : place
  }
  return rarity
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}
