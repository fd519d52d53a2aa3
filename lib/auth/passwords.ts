import { z } from 'zod'
import { env } from '../env.js'
import { COMMON_PASSWORDS } from './common-passwords.js'

/** What bcrypt looks at; it would ignore the rest silently, so a longer password is refused instead. */
const MAX_BYTES = 72

const BCRYPT_HASH = /^\$2[aby]\$(?:0[4-9]|[12]\d)\$[./A-Za-z0-9]{53}$/

/**
 * A password that somebody chooses: 8 characters to 72 bytes (NIST SP 800-63B, section 3.1.1.2: a minimum
 * length, no rules of composition) and, where the deployment turns that on, not among the most common ones.
 */
export const NewPassword = z
  .string()
  .min(8, 'must have at least 8 characters')
  .refine(password => !isTooLong(password), `must have at most ${MAX_BYTES} bytes in UTF-8`)
  .refine(password => !password.includes('\0'), 'must not contain NUL')
  .refine(
    password => !env().passwordBlocklist || !COMMON_PASSWORDS.has(password.toLowerCase()),
    'is one of the most common passwords: choose another',
  )

/** A password that somebody signs in with: any text, since whether it is the right one is what the comparison says. */
export const PasswordAttempt = z.string().min(1).max(1_000)

function isTooLong(password: string): boolean {
  return Buffer.byteLength(password) > MAX_BYTES
}

/** Hashes a password with the deployment's cost. */
export async function hashPassword(password: string): Promise<string> {
  const bcrypt = await loadBcrypt()
  return bcrypt.hash(password, env().bcryptCost)
}

/**
 * Whether a password is the one behind a hash. Where it is not, whatever the reason, the answer costs one comparison
 * of today's cost: an unknown account, a hash that is none and one of the old system's lower cost cannot be told
 * apart by the time they take.
 */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  const { bcryptCost } = env()
  const usable = hash !== undefined && BCRYPT_HASH.test(hash) ? hash : undefined
  // With a NUL in it, a password could be another one's repetition, which to bcrypt is the same.
  const isPossible = !isTooLong(password) && !password.includes('\0')
  const bcrypt = await loadBcrypt()
  const matches = await bcrypt.compare(isPossible ? password : '', usable ?? unmatchable(bcryptCost))
  if (matches && isPossible && usable !== undefined) return true
  // Each step doubles the cost: what is missing to today's is the sum of the steps between.
  for (let cost = usable ? costOf(usable) : bcryptCost; cost < bcryptCost; cost++)
    await bcrypt.compare('', unmatchable(cost))
  return false
}

/** Whether a hash is weaker than what the deployment asks for now. */
export function needsRehash(hash: string): boolean {
  return costOf(hash) < env().bcryptCost
}

// `$2b$12$…`: two digits, always.
function costOf(hash: string): number {
  return Number(hash.slice(4, 6))
}

// Functions that keep accounts, but see no password, do without.
async function loadBcrypt() {
  return (await import('bcryptjs')).default
}

/** A well-formed hash of this cost, of no password anybody knows. */
function unmatchable(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(53)}`
}
