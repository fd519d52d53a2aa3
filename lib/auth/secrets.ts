import { hash, randomBytes } from 'node:crypto'

/** 256 random bits, fit for a URL: nobody guesses one, so a plain hash of it is safe to store. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** How a random secret is stored and found again: its SHA-256. Not for passwords, which are not random. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url')
}
