/** What a project says of its property, as far as rules can answer from it. Texts are bounded. */
export interface PropertyFacts {
  name?: string
  location?: string
  possession?: string
  offers?: string
  /** A price that is of no configuration: "from ₹80 L". */
  price?: string
  prices: { configuration: string; price: string }[]
  configurations: string[]
  amenities: string[]
}

/** By what names projects call a fact, in lower case without anything between the letters. */
const NAMES = {
  name: ['projectname', 'name', 'title'],
  location: ['location', 'address', 'locality', 'city'],
  possession: ['possession', 'possessiondate', 'possessionby', 'handover', 'readyby'],
  offers: ['specialoffers', 'specialoffer', 'offers', 'offer', 'discounts', 'discount'],
  price: ['pricing', 'price', 'pricerange', 'startingprice', 'pricestarts', 'pricesfrom'],
} as const

const MAX_TEXT = 300
const MAX_ITEMS = 50

/** Reads a project's free-form facts: a name may be spelled in any way, and a value have any shape. */
export function readFacts(info: Readonly<Record<string, unknown>>): PropertyFacts {
  const given = new Map(
    Object.entries(info).map(([name, value]) => [name.toLowerCase().replace(/[^a-z]/g, ''), value]),
  )
  const facts: PropertyFacts = {
    prices: readPrices(given.get('pricing')),
    configurations: readList(given.get('availablebhk')),
    amenities: readList(given.get('amenities')),
  }
  for (const [fact, names] of Object.entries(NAMES) as [keyof typeof NAMES, readonly string[]][]) {
    const text = names
      .filter(name => name !== 'pricing' || facts.prices.length === 0)
      .map(name => readText(given.get(name)))
      .find(candidate => candidate !== '')
    if (text !== undefined) facts[fact] = text
  }
  return facts
}

const EMPTY = new Set(['null', '""', '[]', '{}'])

/** Whether a project says anything at all: a configuration without facts still has its empty lists. */
export function saysNothing(info: Readonly<Record<string, unknown>>): boolean {
  return Object.values(info).every(value => EMPTY.has(JSON.stringify(value)))
}

function readPrices(pricing: unknown): PropertyFacts['prices'] {
  if (typeof pricing !== 'object' || pricing === null || Array.isArray(pricing)) return []
  return Object.entries(pricing)
    .slice(0, MAX_ITEMS)
    .map(([configuration, price]) => ({
      configuration: configuration.trim().slice(0, MAX_TEXT),
      price: readText(price),
    }))
    .filter(({ configuration, price }) => configuration !== '' && price !== '')
}

function readList(value: unknown): string[] {
  const items = Array.isArray(value)
    ? value.slice(0, MAX_ITEMS).map(item => readText(item))
    : [readText(value)]
  return items.filter(text => text !== '')
}

/** A value in words, of lists and objects those inside; no deeper than the shapes that people write. */
function readText(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value.trim().slice(0, MAX_TEXT)
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null || depth === 2) return ''
  return Object.values(value)
    .slice(0, MAX_ITEMS)
    .map(inner => readText(inner, depth + 1))
    .filter(text => text !== '')
    .join(', ')
    .slice(0, MAX_TEXT)
}
