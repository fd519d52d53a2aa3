import { z } from 'zod'

/** What a visitor looks for, in the words that every client and report knows (BHK: bedrooms, hall, kitchen). */
export const BhkType = z.enum([
  '1 BHK',
  '2 BHK',
  '3 BHK',
  '4 BHK',
  'Duplex',
  'Just Browsing',
  'Other',
  'Yet to decide',
])
export type BhkType = z.infer<typeof BhkType>

export interface Bhk {
  bhkType: BhkType
  /** Bedrooms where a number was given, also one that no type has; 0 is "Yet to decide". */
  bhk?: number
  /** What was written where the type is not it. */
  bhkRaw?: string
}

const WORDS: readonly [RegExp, BhkType][] = [
  [/duplex/, 'Duplex'],
  [/brows|just look/, 'Just Browsing'],
  [/decide|not sure|undecided|don['’]?t know/, 'Yet to decide'],
  [/^other/, 'Other'],
]

/**
 * Reads a BHK as old clients send it: a number (`bhk`), a text (`bhkType`) in any spelling ("2bhk", "1 Bhk",
 * "just looking"), or both; the text decides the type and the number is kept beside it. A text where the number
 * belongs is read like one of `bhkType`, which goes first. Neither of them given means "Yet to decide". The
 * rules are the contract's.
 */
export function normaliseBhk(bhk: number | string | undefined, bhkType: string | undefined): Bhk {
  const text = bhkType ?? (typeof bhk === 'string' ? bhk : undefined)
  const fromText = text === undefined ? undefined : readText(text)
  const number = typeof bhk === 'number' ? bhk : fromText?.bhk
  return {
    bhkType: fromText?.bhkType ?? (number === undefined ? 'Yet to decide' : typeOfNumber(number)),
    ...(number !== undefined && { bhk: number }),
    ...(fromText?.bhkRaw !== undefined && { bhkRaw: fromText.bhkRaw }),
  }
}

function readText(raw: string): Bhk {
  const text = raw.trim().toLowerCase()
  const word = WORDS.find(([pattern]) => pattern.test(text))
  if (word) return { bhkType: word[1] }

  const [, digits] = /^(\d{1,2}(?:\.\d)?)\s*-?\s*(?:bhk|bed|br\b|$)/.exec(text) ?? []
  if (digits !== undefined) return { bhkType: typeOfNumber(Number(digits)), bhk: Number(digits) }
  return { bhkType: 'Other', bhkRaw: raw }
}

function typeOfNumber(bhk: number): BhkType {
  if (bhk === 0) return 'Yet to decide'
  const exact = BhkType.safeParse(`${bhk} BHK`)
  return exact.success ? exact.data : 'Other'
}
