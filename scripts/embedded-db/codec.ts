import { BSON, DBRef } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { type Doc, docOf, isAwkward, type Value } from './values.js'

const AS_SENT = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const
const OBJECT = 3
const ARRAY = 4

/** Reads one BSON document, every value with the type and every field in the place it was sent with. */
export function decode(bytes: Uint8Array): Doc {
  const document = BSON.deserialize(bytes, AS_SENT)
  return isFaithful(document) ? (document as Doc) : decodeInOrder(bytes)
}

/** The bytes of a document. Throws BSONObjectTooLarge for one that is larger by far than any that can be stored. */
export function encode(document: object): Uint8Array {
  try {
    return BSON.serialize(document, { ignoreUndefined: false })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new CommandError('BSONObjectTooLarge', 'the document is larger than the library can write')
  }
}

/** Cuts a run of BSON documents into one slice each. */
export function splitDocuments(bytes: Buffer): Uint8Array[] {
  const documents: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.length - at >= 4 ? bytes.readInt32LE(at) : 0
    if (size < 5 || at + size > bytes.length) throw new CommandError('InvalidLength', 'a document is cut off')
    documents.push(bytes.subarray(at, at + size))
    at += size
  }
  return documents
}

/**
 * Whether the driver's library could keep the order of all fields. Refuses what it does not keep at all: a DBRef's
 * fields, dates that JavaScript has not.
 */
function isFaithful(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isFaithful)
  if (value instanceof DBRef) throw unsupported('A DBRef')
  if (value instanceof Date && Number.isNaN(value.getTime()))
    throw unsupported('A date beyond the year 275760')
  if (Object.getPrototypeOf(value) !== Object.prototype) return true
  for (const name of Object.keys(value)) {
    if (isAwkward(name) || !isFaithful((value as Record<string, unknown>)[name])) return false
  }
  return true
}

/** Reads field by field. Slower, and so only for documents with field names that an object cannot hold. */
export function decodeInOrder(bytes: Uint8Array): Doc {
  return docOf(elementsOf(bytes))
}

function elementsOf(bytes: Uint8Array): [string, Value][] {
  return Array.from(BSON.onDemand.parseToElements(bytes), ([type, nameAt, nameLength, at, length]) => {
    const name = Buffer.from(bytes.buffer, bytes.byteOffset + nameAt, nameLength).toString('utf8')
    const held = bytes.subarray(at, at + length)
    if (type === OBJECT) return [name, decodeInOrder(held)]
    if (type === ARRAY) return [name, elementsOf(held).map(([, value]) => value)]
    return [name, scalarOf(type, held)]
  })
}

/** A value on its own, read as the only field of a document. */
function scalarOf(type: number, held: Uint8Array): Value {
  const document = Buffer.alloc(held.length + 8)
  document.writeInt32LE(document.length)
  document[4] = type
  document.write('v', 5)
  document.set(held, 7)
  return (BSON.deserialize(document, AS_SENT) as { v: Value }).v
}
