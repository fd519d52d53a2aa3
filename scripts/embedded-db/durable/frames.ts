import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/**
 * A file of frames: magic, length and CRC-32 of the payload (little-endian, four bytes each), then the payload. What
 * one frame holds was made durable in one go, so a crash leaves at most the last frame of a file incomplete.
 */
const MAGIC = Buffer.from('LLfr')
const HEADER_BYTES = 12
const CHUNK_BYTES = 4 * 1024 * 1024

interface Frame {
  payload: Buffer
  /** Where in the file the frame ends. */
  end: number
}

export function encodeFrame(parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  let at = HEADER_BYTES
  for (const part of parts) {
    frame.set(part, at)
    at += part.length
  }
  MAGIC.copy(frame)
  frame.writeUInt32LE(length, 4)
  frame.writeUInt32LE(crc32(frame.subarray(HEADER_BYTES)), 8)
  return frame
}

/** The whole frames from the start of a file up to the first that is not whole. */
export async function* readFrames(file: FileHandle): AsyncGenerator<Frame> {
  const { size } = await file.stat()
  let bytes = Buffer.alloc(0)
  let start = 0
  for (;;) {
    const frame = wholeFrame(bytes)
    if (frame) {
      const end = start + HEADER_BYTES + frame.length
      yield { payload: frame, end }
      bytes = bytes.subarray(HEADER_BYTES + frame.length)
      start = end
      continue
    }
    const announced = announcedLength(bytes)
    if (start + announced > size || (announced > 0 && announced <= bytes.length)) return
    const wanted = Math.max(CHUNK_BYTES, announced - bytes.length)
    const more = Buffer.allocUnsafe(wanted)
    const { bytesRead } = await file.read(more, 0, wanted, start + bytes.length)
    if (bytesRead === 0) return
    bytes = Buffer.concat([bytes, more.subarray(0, bytesRead)])
  }
}

/** Whether a whole frame begins anywhere at or after a position: then what is broken before it is not a torn end. */
export async function hasFrameAfter(file: FileHandle, position: number): Promise<boolean> {
  const { size } = await file.stat()
  const bytes = Buffer.alloc(size - position)
  await file.read(bytes, 0, bytes.length, position)
  for (let at = bytes.indexOf(MAGIC, 1); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    if (wholeFrame(bytes.subarray(at))) return true
  }
  return false
}

function wholeFrame(bytes: Buffer): Buffer | undefined {
  const end = announcedLength(bytes)
  if (end === 0 || bytes.length < end) return undefined
  const payload = bytes.subarray(HEADER_BYTES, end)
  return crc32(payload) === bytes.readUInt32LE(8) ? payload : undefined
}

/** How long the frame at the start says it is, its header included; 0 where there is no header. */
function announcedLength(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) return 0
  return HEADER_BYTES + bytes.readUInt32LE(4)
}
