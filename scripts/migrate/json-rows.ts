import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { findFault, findForeignByte } from './json-fault.js'

const BLOCK_BYTES = 256 * 1024

/** MongoDB stores no document above 16 MB: a longer row is one whose end is missing. */
const MAX_ROW_BYTES = 16 * 1024 * 1024

/** One element of a file's list, and where it is in the file, in bytes. */
export interface Row {
  value: unknown
  start: number
  end: number
}

/** A file that is not the JSON it should be; what comes before the position can be read. */
export class CorruptFile extends Error {
  constructor(
    readonly path: string,
    /** In bytes from the start of the file. */
    readonly position: number,
    reason: string,
  ) {
    super(`${path} is damaged at byte ${position}: ${reason}`)
    this.name = 'CorruptFile'
  }
}

/**
 * Reads the rows of a JSON file block by block: an array, or an object that has the array under a name. Only the row
 * that is being read is in memory. Our own, since the libraries that stream JSON hand over tokens, know no byte
 * positions, and take several times as long: here only the brackets around a row are looked for, and the row itself
 * is for `JSON.parse`.
 *
 * @param list the name of the array: `events`.
 * @throws {CorruptFile} after the last row that can be read.
 */
export async function* readRows(path: string, list: string): AsyncGenerator<Row[]> {
  const splitter = new RowSplitter(path, list)
  for await (const block of createReadStream(path, { highWaterMark: BLOCK_BYTES })) {
    const { rows, fault } = splitter.take(block)
    if (rows.length > 0) yield rows
    if (fault) throw fault
  }
  splitter.end()
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const BYTE_ORDER_MARK = Buffer.from('\ufeff')

/**
 * Where in the file the splitter is. `first…` is where no comma may come yet, `next…` where one has to, and `…After`
 * where one has just been.
 */
type Phase =
  | 'start'
  | 'firstName'
  | 'nextName'
  | 'nameAfter'
  | 'colon'
  | 'member'
  | 'firstRow'
  | 'nextRow'
  | 'rowAfter'
  | 'end'

class RowSplitter {
  private phase: Phase = 'start'
  private isObject = false
  private isListFound = false
  private member = ''
  /** What is not consumed yet, and where it is in the file. */
  private pending: Buffer = Buffer.alloc(0)
  private offset = 0
  /** Of the value that is being read: how far it has been looked through, and what is open there. */
  private scanned = 0
  private depth = 0
  private inString = false
  private isEscaped = false

  constructor(
    private readonly path: string,
    private readonly list: string,
  ) {}

  take(block: Buffer): { rows: Row[]; fault?: CorruptFile } {
    this.pending = this.pending.length === 0 ? block : Buffer.concat([this.pending, block])
    const rows: Row[] = []
    try {
      this.split(rows)
      if (this.pending.length > MAX_ROW_BYTES) throw this.unendedRow(`of more than ${MAX_ROW_BYTES} bytes`)
      return { rows }
    } catch (error) {
      // What was read before the fault is as good as ever.
      if (error instanceof CorruptFile) return { rows, fault: error }
      throw error
    }
  }

  /** @throws {CorruptFile} where more had to come. */
  end(): void {
    if (this.phase === 'end') return
    const isValueOpen = this.pending.length > 0
    throw isValueOpen
      ? this.unendedRow('that the file ends in the middle of')
      : this.fault(this.offset, 'the file ends here, and its list does not')
  }

  private split(rows: Row[]): void {
    const bytes = this.pending
    const base = this.offset
    let at = 0
    for (;;) {
      if (this.scanned === 0) while (isSpace(bytes[at])) at += 1
      const byte = bytes[at]
      if (byte === undefined) break
      if (this.phase === 'start' && byte === BYTE_ORDER_MARK[0]) {
        if (bytes.length < at + BYTE_ORDER_MARK.length) break
        if (!bytes.subarray(at, at + 3).equals(BYTE_ORDER_MARK)) throw this.unexpected(base + at)
        at += 3
        continue
      }
      const step = this.punctuation(byte, base + at)
      if (step) {
        at += 1
        continue
      }
      const end = this.endOfValue(bytes, at)
      if (end === undefined) break
      const value = this.phase === 'member' ? undefined : this.parse(bytes.subarray(at, end), base + at)
      if (this.phase === 'firstName' || this.phase === 'nameAfter') {
        this.member = String(value)
        this.phase = 'colon'
      } else if (this.phase === 'member') {
        this.phase = 'nextName'
      } else {
        rows.push({ value, start: base + at, end: base + end })
        this.phase = 'nextRow'
      }
      at = end
    }
    this.pending = bytes.subarray(at)
    this.offset = base + at
  }

  /** Steps over one byte between values; false where a value begins. */
  private punctuation(byte: number, position: number): boolean {
    switch (this.phase) {
      case 'start':
        if (byte !== OPEN_LIST && byte !== OPEN_OBJECT) throw this.unexpected(position)
        this.isObject = byte === OPEN_OBJECT
        this.isListFound = !this.isObject
        this.phase = this.isObject ? 'firstName' : 'firstRow'
        return true
      case 'firstName':
      case 'nextName':
        if (byte === CLOSE_OBJECT) {
          if (!this.isListFound) throw this.fault(position, `there is no list named ${this.list} in it`)
          this.phase = 'end'
          return true
        }
        if (this.phase === 'firstName') return this.nameBegins(byte, position)
        if (byte !== COMMA) throw this.unexpected(position)
        this.phase = 'nameAfter'
        return true
      case 'nameAfter':
        return this.nameBegins(byte, position)
      case 'colon':
        if (byte !== COLON) throw this.unexpected(position)
        this.phase = 'member'
        return true
      case 'member':
        if (this.isListFound || this.member !== this.list || this.scanned > 0) return false
        if (byte !== OPEN_LIST) throw this.fault(position, `${this.list} is no list`)
        this.isListFound = true
        this.phase = 'firstRow'
        return true
      case 'firstRow':
      case 'nextRow':
        if (byte === CLOSE_LIST && this.scanned === 0) {
          this.phase = this.isObject ? 'nextName' : 'end'
          return true
        }
        if (this.phase === 'firstRow') return false
        if (byte !== COMMA) throw this.unexpected(position)
        this.phase = 'rowAfter'
        return true
      case 'rowAfter':
        if (byte === CLOSE_LIST && this.scanned === 0) throw this.unexpected(position)
        return false
      case 'end':
        throw this.unexpected(position)
    }
  }

  private nameBegins(byte: number, position: number): false {
    if (byte !== QUOTE) throw this.unexpected(position)
    return false
  }

  /** Where the value that begins here ends; undefined where more bytes have to come, from which it goes on. */
  private endOfValue(bytes: Buffer, start: number): number | undefined {
    let { depth, inString, isEscaped } = this
    for (let at = start + this.scanned; at < bytes.length; at += 1) {
      const byte = bytes[at]
      if (inString) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) {
          inString = false
          if (depth === 0) return this.ended(at + 1)
        }
      } else if (byte === QUOTE) inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) depth += 1
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        // A bracket that closes what is around a number or a word ends that, too.
        if (depth === 0) return this.ended(at)
        depth -= 1
        if (depth === 0) return this.ended(at + 1)
      } else if (depth === 0 && (byte === COMMA || isSpace(byte))) return this.ended(at)
    }
    Object.assign(this, { depth, inString, isEscaped, scanned: bytes.length - start })
    return undefined
  }

  private ended(end: number): number {
    this.depth = 0
    this.scanned = 0
    this.inString = false
    this.isEscaped = false
    return end
  }

  private parse(bytes: Buffer, position: number): unknown {
    if (!isUtf8(bytes)) {
      const foreign = findForeignByte(bytes) ?? 0
      throw this.fault(position + foreign, 'this byte is no UTF-8')
    }
    try {
      return JSON.parse(bytes.toString('utf8'))
    } catch {
      throw this.fault(
        position + (findFault(bytes) ?? 0),
        `this is no JSON, in a row that begins at byte ${position}`,
      )
    }
  }

  /** The first fault of a row whose end is missing: what hides the end, else the end of what is there. */
  private unendedRow(what: string): CorruptFile {
    const at = findFault(this.pending) ?? this.pending.length
    return this.fault(this.offset + at, `a row ${what} begins at byte ${this.offset}`)
  }

  private unexpected(position: number): CorruptFile {
    return this.fault(position, 'this does not belong here')
  }

  private fault(position: number, reason: string): CorruptFile {
    return new CorruptFile(this.path, position, reason)
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
