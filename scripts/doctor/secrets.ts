import type { Variables } from '../dev/settings.js'
import { type Check, failure, ok, warning } from './check.js'

/** What we made up ourselves and so could have made up badly, or twice. */
const SECRETS = ['ADMIN_TOKEN', 'AUTH_SECRET', 'AUTH_SECRET_PREVIOUS', 'CRON_SECRET'] as const

const MAKE_ONE = 'make one with: openssl rand -hex 32'

/** Below this a secret can be guessed with effort, in bits; far below it, easily. */
const STRONG_BITS = 96
const WEAK_BITS = 56

/** Words that no random secret contains. */
const WORDS = /password|secret|changeme|change-me|example|token|admin|leadline|test|qwert|12345/i

/** Whether the secrets that are set could be guessed, and whether one is used for two things. */
export function checkSecrets(variables: Variables): Check[] {
  const set = SECRETS.flatMap(name => {
    const value = variables[name]?.trim()
    return value ? [{ name, value }] : []
  })
  return set.map(({ name, value }) => {
    const twin = set.find(other => other.name !== name && other.value === value)
    if (twin) return failure(name, `is the same as ${twin.name}: who has one has both`, MAKE_ONE)
    const bits = entropyBits(value)
    const size = `${value.length} characters, about ${bits} bits`
    if (bits < WEAK_BITS) return failure(name, `can be guessed (${size})`, MAKE_ONE)
    if (WORDS.test(value)) return warning(name, `contains a word (${size})`, MAKE_ONE)
    if (bits < STRONG_BITS) return warning(name, `is rather weak (${size})`, MAKE_ONE)
    return ok(name, size)
  })
}

/** How much there is to guess at most, by how often each character occurs (Shannon): an upper bound, not a proof. */
export function entropyBits(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const perCharacter = [...counts.values()]
    .map(count => count / text.length)
    .reduce((sum, share) => sum - share * Math.log2(share), 0)
  return Math.round(perCharacter * text.length)
}
