import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'

/** How much text is compressed at once: a document at a time would be a task for the thread pool each. */
const CHUNK_CHARACTERS = 256 * 1024
const NEWLINE = 10

/** What a backup says of one of its files, to be found again when it is read. */
export interface FileDigest {
  bytes: number
  sha256: string
}

/**
 * Writes lines into a new gzip file that only its owner may read, and waits until the disk has it. Takes no more lines
 * than it can write.
 */
export async function writeLines(path: string, lines: AsyncIterable<string>): Promise<FileDigest> {
  const digest = createHash('sha256')
  let bytes = 0
  await pipeline(
    Readable.from(inChunks(lines)),
    createGzip(),
    async function* (compressed: AsyncIterable<Buffer>) {
      for await (const chunk of compressed) {
        digest.update(chunk)
        bytes += chunk.length
        yield chunk
      }
    },
    createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }),
  )
  return { bytes, sha256: digest.digest('hex') }
}

async function* inChunks(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let text = ''
  for await (const line of lines) {
    text += `${line}\n`
    if (text.length < CHUNK_CHARACTERS) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}

/** The lines of a file that `writeLines` wrote, read no faster than they are taken. */
export async function* readLines(path: string): AsyncGenerator<string> {
  let pending: Buffer[] = []
  for await (const chunk of unzipped(path)) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)]).toString('utf8')
      pending = []
      start = end + 1
    }
    if (start < chunk.length) pending.push(chunk.subarray(start))
  }
  if (pending.length > 0) throw new Error(`${path} ends within a line`)
}

/** How many lines a file has. */
export async function countLines(path: string): Promise<number> {
  let count = 0
  for await (const chunk of unzipped(path)) {
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++
  }
  return count
}

/** @throws what the file system says of a file that is not there. */
export async function digestOf(path: string): Promise<FileDigest> {
  const digest = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    digest.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: digest.digest('hex') }
}

function unzipped(path: string): AsyncIterable<Buffer> {
  const gunzip = createGunzip()
  // A failure of either reaches whoever reads, by way of the last of the two.
  pipeline(createReadStream(path), gunzip).catch(() => {})
  return gunzip
}
