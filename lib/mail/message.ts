import { invalidField } from '../errors.js'

/** A mail as it is handed over; who it is from is the deployment's to say. */
export interface Message {
  /** One bare address, without a display name. */
  to: string
  subject: string
  text: string
  html: string
}

/** One address: nothing in it can end the header, start another recipient or be read as a comment. */
const BARE_ADDRESS = /^[^\p{C}\p{Z}@<>()[\],;:\\"]+@[^\p{C}\p{Z}@<>()[\],;:\\"]+$/u

/** Whatever some mail software may take for the end of a line, and every other control character. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u

/**
 * Refuses what could inject a header or a second recipient (CWE-93), so that no transport has to be trusted to.
 *
 * @throws {AppError} `invalid_request` naming the field, without its value.
 */
export function assertSafeHeaders({ to, subject }: Message): void {
  if (!BARE_ADDRESS.test(to)) throw invalidField('to', 'is not one e-mail address')
  if (CONTROL.test(subject)) throw invalidField('subject', 'must be a single line without control characters')
}
