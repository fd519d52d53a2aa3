import { ObjectId } from 'mongodb'
import { z } from 'zod'

/** An id of ours as clients write it, in either case. */
const HEX_ID = /^[0-9a-f]{24}$/i

/** A field of a request that names a document of this kind. */
export function idOf(kind: string) {
  return z.string().regex(HEX_ID, `must be the id of a ${kind}`)
}

export const UserId = idOf('user')

/** The id that a path or a token names; undefined for what is none, which names nothing. */
export function readId(text: string): ObjectId | undefined {
  return HEX_ID.test(text) ? new ObjectId(text) : undefined
}
