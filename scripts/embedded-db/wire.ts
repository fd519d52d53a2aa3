import { decode, encode, splitDocuments } from './codec.js'
import { CommandError } from './errors.js'
import { type Doc, field, withField } from './values.js'

/** https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013
const CHECKSUM_PRESENT = 1
const MORE_TO_COME = 2
const KNOWN_REQUIRED_FLAGS = CHECKSUM_PRESENT | MORE_TO_COME
const HEADER_BYTES = 16

export const MAX_MESSAGE_BYTES = 48_000_000

/** A command as it came: the document, with what a document sequence (kind 1) added to it. */
export interface Message {
  requestId: number
  command: Doc
  /** The documents of a sequence in their own bytes, by the field they stand for. */
  sequences: ReadonlyMap<string, Uint8Array[]>
  /** The client asked for no answer. */
  silent: boolean
  /** The handshake of old clients, which is answered in kind. */
  legacy: boolean
}

/** How long the message at the start of these bytes is, once enough of them are there. Throws for an absurd length. */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined
  const length = bytes.readInt32LE(0)
  if (length < HEADER_BYTES || length > MAX_MESSAGE_BYTES + 16_384) {
    throw new CommandError('InvalidLength', `message length ${length} is out of bounds`)
  }
  return length
}

/** Reads one whole message. Throws for an operation other than OP_MSG and the OP_QUERY of a handshake. */
export function readMessage(bytes: Buffer): Message {
  const requestId = bytes.readInt32LE(4)
  const operation = bytes.readInt32LE(12)
  if (operation === OP_MSG) return readOpMsg(bytes, requestId)
  if (operation === OP_QUERY) return readOpQuery(bytes, requestId)
  throw new CommandError('CommandNotFound', `wire protocol operation ${operation} is not supported`)
}

export function writeReply(message: Message, reply: object): Buffer[] {
  const body = encode(reply)
  const prefix = Buffer.alloc(message.legacy ? HEADER_BYTES + 20 : HEADER_BYTES + 5)
  prefix.writeInt32LE(prefix.length + body.length, 0)
  prefix.writeInt32LE(message.requestId, 8)
  prefix.writeInt32LE(message.legacy ? OP_REPLY : OP_MSG, 12)
  if (message.legacy) prefix.writeInt32LE(1, 32)
  return [prefix, Buffer.from(body.buffer, body.byteOffset, body.length)]
}

function readOpMsg(bytes: Buffer, requestId: number): Message {
  const flags = bytes.readUInt32LE(HEADER_BYTES)
  if (flags & 0xffff & ~KNOWN_REQUIRED_FLAGS) {
    throw new CommandError('FailedToParse', `unknown required OP_MSG flags ${flags}`)
  }
  const end = bytes.length - (flags & CHECKSUM_PRESENT ? 4 : 0)
  const sequences = new Map<string, Uint8Array[]>()
  let command: Doc | undefined
  let at = HEADER_BYTES + 4
  while (at < end) {
    const kind = bytes[at++]
    const size = bytes.readInt32LE(at)
    const section = bytes.subarray(at, at + size)
    if (size < 5 || at + size > end) throw new CommandError('InvalidLength', 'an OP_MSG section is cut off')
    if (kind === 0) command = decode(section)
    else if (kind === 1) {
      const nameEnd = section.indexOf(0, 4)
      sequences.set(section.toString('utf8', 4, nameEnd), splitDocuments(section.subarray(nameEnd + 1)))
    } else throw new CommandError('FailedToParse', `unknown OP_MSG section kind ${kind}`)
    at += size
  }
  if (!command) throw new CommandError('FailedToParse', 'an OP_MSG without a body')
  return { requestId, command, sequences, silent: (flags & MORE_TO_COME) !== 0, legacy: false }
}

function readOpQuery(bytes: Buffer, requestId: number): Message {
  const nameEnd = bytes.indexOf(0, HEADER_BYTES + 4)
  const name = bytes.toString('utf8', HEADER_BYTES + 4, nameEnd)
  if (!name.endsWith('.$cmd')) {
    throw new CommandError('CommandNotFound', 'OP_QUERY is only supported for the handshake')
  }
  const command = decode(bytes.subarray(nameEnd + 9))
  const database = field(command, '$db') ?? name.slice(0, -'.$cmd'.length)
  return {
    requestId,
    command: withField(command, '$db', database),
    sequences: new Map(),
    silent: false,
    legacy: true,
  }
}
