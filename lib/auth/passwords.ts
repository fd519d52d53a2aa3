import bcrypt from 'bcryptjs'
import { z } from 'zod'
import { env } from '../env.js'
import { COMMON_PASSWORDS } from './common-passwords.js'

/** What bcrypt looks at; it would ignore the rest silently, so a longer password is refused instead. */
const MAX_BYTES = 72

/**
 * A password that somebody chooses: 8 characters to 72 bytes (NIST SP 800-63B, section 3.1.1.2: a minimum
 * length, no rules of composition) and, where the deployment turns that on, not among the most common ones.
 */
export const NewPassword = z
  .string()
  .min(8, 'must have at least 8 characters')
  .refine(fitsBcrypt, `must have at most ${MAX_BYTES} bytes in UTF-8`)
  .refine(password => !password.includes('\0'), 'must not contain NUL')
  .refine(
    password => !env().passwordBlocklist || !COMMON_PASSWORDS.has(password.toLowerCase()),
    'is one of the most common passwords: choose another',
  )

function fitsBcrypt(password: string): boolean {
  return Buffer.byteLength(password) <= MAX_BYTES
}

/** Hashes a password with the deployment's cost. */
export function hashPassword(password: string): Promise<string> {
  return bcrypt.hash(password, env().bcryptCost)
}

/**
 * Whether a password is the one behind a hash. Without a hash it is compared all the same, with one that nothing
 * matches: an unknown account costs what a wrong password costs.
 */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  const matches = await bcrypt.compare(fitsBcrypt(password) ? password : '', hash ?? unmatchable())
  return matches && hash !== undefined && fitsBcrypt(password)
}

/** Whether a hash is weaker than what the deployment asks for now. */
export function needsRehash(hash: string): boolean {
  return bcrypt.getRounds(hash) < env().bcryptCost
}

/** A well-formed hash of today's cost, of no password anybody knows. */
function unmatchable(): string {
  return `$2b$${String(env().bcryptCost).padStart(2, '0')}$${'.'.repeat(53)}`
}
