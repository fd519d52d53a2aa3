import { Binary, BSON, type Document } from 'mongodb'
import { decodeInOrder } from '../embedded-db/codec.js'

const { EJSON } = BSON
const AS_STORED = { promoteValues: false, promoteLongs: false, bsonRegExp: true } as const
const CANONICAL = { relaxed: false } as const

/**
 * A stored document as something to insert that is stored as the same bytes again. One whose field names an object
 * would put into another order is a Map.
 *
 * @throws {Error} for what the driver cannot write: dates beyond the year 275760, BSON's deprecated `undefined`.
 */
export function documentOf(bytes: Uint8Array): Document {
  // The library sorts the options of a BSONRegExp; those of a RegExp it writes in the order that it read.
  for (const bsonRegExp of [true, false]) {
    const document = attempt(() => BSON.deserialize(bytes, { ...AS_STORED, bsonRegExp }))
    if (document && isStoredAs(bytes, document)) return document
  }
  const inOrder = decodeInOrder(bytes)
  if (isStoredAs(bytes, inOrder)) return inOrder
  throw new Error('it holds a value that the driver cannot write back as it is')
}

/**
 * A stored document as one line of canonical Extended JSON, which is read back before it is trusted. What that
 * cannot tell apart (a stored field called `$date`, field names that are numbers) is a line with a binary value in
 * place of a document: its BSON.
 *
 * @throws {Error} as `documentOf`.
 */
export function lineOf(bytes: Uint8Array): string {
  const line = attempt(() => EJSON.stringify(BSON.deserialize(bytes, AS_STORED), CANONICAL))
  const readBack = line && attempt(() => EJSON.parse(line, CANONICAL) as Document)
  if (line && readBack && isStoredAs(bytes, readBack)) return line
  documentOf(bytes)
  return EJSON.stringify(new Binary(bytes), CANONICAL)
}

/** The document of a line that `lineOf` wrote, to be inserted. */
export function documentOfLine(line: string): Document {
  const value: unknown = EJSON.parse(line, CANONICAL)
  return value instanceof Binary ? documentOf(value.value()) : (value as Document)
}

function isStoredAs(bytes: Uint8Array, document: Document): boolean {
  const written = attempt(() => BSON.serialize(document))
  return written !== undefined && Buffer.compare(written, bytes) === 0
}

/** What the library refuses is a document that it cannot keep as it is: there are other ways then. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
