import { z } from 'zod'
import { AppError } from '../errors.js'

/** Content types whose body we read as JSON: beacons can only send `text/plain` without a preflight. */
const JSON_TYPES = /^(?:application\/(?:[\w.+-]+\+)?json|text\/plain)$/

/**
 * Declares a body that the handler gets as it came, byte for byte: what is signed cannot be parsed and then verified.
 */
export const RawBody = z.instanceof(Uint8Array)

/**
 * Reads a JSON body of at most `maxBytes`; undefined where there is none.
 *
 * @throws {AppError} `too_large`, `unsupported_media_type`, or `invalid_request` for what is not JSON in UTF-8.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(request, maxBytes)
  if (bytes.length === 0) return undefined
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  // A body without a type is taken for JSON: that is all we speak.
  if (type && !JSON_TYPES.test(type)) throw new AppError('unsupported_media_type')
  if (/[^\s,]/.test(request.headers.get('content-encoding')?.replace('identity', '') ?? ''))
    throw new AppError('unsupported_media_type', 'The body must not be compressed.')
  try {
    return JSON.parse(wellFormed(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch {
    throw new AppError('invalid_request', 'The body is not valid JSON in UTF-8.')
  }
}

/** An escape in JSON: of a character in its two halves (UTF-16), of half of one, or another. */
const ESCAPE =
  /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)/g

/**
 * JSON whose texts and names are Unicode: an escaped half of a character is U+FFFD, as the database would store it.
 * What was stored would otherwise be no longer what was sent, nor found by it.
 */
function wellFormed(json: string): string {
  if (!/\\u[dD][89a-fA-F]/.test(json)) return json
  return json.replace(ESCAPE, (whole, half) => (half === undefined ? whole : '\\ufffd'))
}

/**
 * Reads a body of at most `maxBytes`, whatever its type.
 *
 * @throws {AppError} `too_large`, or `invalid_request` for one that broke off.
 */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new AppError('too_large', `The request body is larger than ${maxBytes.toLocaleString('en')} bytes.`)
  // The declared length spares reading what will be refused; the count below is what holds.
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge()
  if (request.body === null) return new Uint8Array()

  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of request.body) {
      length += chunk.length
      if (length > maxBytes) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    // The client went away: not our failure, and nothing to be woken for.
    throw new AppError('invalid_request', 'The body broke off.', { cause })
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
}
