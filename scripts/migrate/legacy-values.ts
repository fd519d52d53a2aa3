import { createHash } from 'node:crypto'
import { ObjectId } from 'mongodb'
import { z } from 'zod'
import { CapturedConversation, type Message } from '../../lib/domain/chats/messages.js'
import { boundFreeForm, type FreeForm, type KeptPair } from '../../lib/domain/free-form.js'

/** A row of the old store: an object, of which nothing else is sure. */
export type LegacyRow = Readonly<Record<string, unknown>>

/** A row of which no document can be made; the message says why. */
export class UnusableRow extends Error {
  override readonly name = 'UnusableRow'
}

/** The id under which what a row stands for is stored: the same wherever and whenever it is read. */
export function stableId(...identity: readonly unknown[]): ObjectId {
  return new ObjectId(createHash('sha256').update(JSON.stringify(identity)).digest().subarray(0, 12))
}

const Time = z.iso.datetime({ offset: true, local: true })
const Day = z.iso.date()
// Numbers of the years 2001 to 2286: what is below is seconds, or no time at all.
const EARLIEST_MS = 1_000_000_000_000
const LATEST_MS = 10_000_000_000_000

/**
 * A time as old writers left it: ISO 8601 (UTC where it names no zone), or milliseconds since the epoch. Lists begin at
 * the epoch: texts of before, or of the far future, stand for no time or for ever.
 */
export function readTime(value: unknown): Date | undefined {
  if (typeof value === 'number')
    return value >= EARLIEST_MS && value < LATEST_MS ? new Date(value) : undefined
  if (typeof value !== 'string') return undefined
  const time = readIsoTime(value)
  return time && time.getTime() >= 0 && time.getTime() < LATEST_MS ? time : undefined
}

/** The same of a text, whenever it is. */
export function readIsoTime(text: string): Date | undefined {
  if (Day.safeParse(text).success) return new Date(text)
  if (!Time.safeParse(text).success) return undefined
  return new Date(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`)
}

/**
 * When a row was made and last changed. Where that cannot be read the other one stands in, then the first time that is
 * given, and for a row that says no time at all the epoch: it is found at the end of every list.
 */
export function timesOf(row: LegacyRow, ...others: readonly unknown[]): { createdAt: Date; updatedAt: Date } {
  const created = readTime(row.createdAt)
  const updated = readTime(row.updatedAt)
  const known = created ?? updated ?? others.map(readTime).find(time => time !== undefined) ?? new Date(0)
  return { createdAt: known, updatedAt: updated ?? known }
}

/** A text, or undefined for anything that is none or empty. */
export function readText(value: unknown, maxLength: number): string | undefined {
  const text = typeof value === 'string' ? value.trim() : ''
  return text === '' ? undefined : text.slice(0, maxLength)
}

/** Free-form data within our bounds; what they cut off is kept whole beside it, as the JSON it was. */
export function readFreeForm(field: string, value: unknown): { bounded: FreeForm; kept: KeptPair[] } {
  const { captured, cut } = boundFreeForm(value)
  return { bounded: captured, kept: cut ? [{ key: field, value: JSON.stringify(value) }] : [] }
}

/** A conversation as capture reads it; where that leaves anything out, all of it is kept beside it, as JSON. */
export function readConversation(value: unknown): { conversation: Message[]; kept: KeptPair[] } {
  const conversation = CapturedConversation.parse(value)
  const isWhole =
    value === undefined ||
    value === null ||
    (Array.isArray(value) &&
      value.length === conversation.length &&
      value.every((message, i) => isSameMessage(message, conversation[i])))
  return { conversation, kept: isWhole ? [] : [{ key: 'conversation', value: JSON.stringify(value) }] }
}

function isSameMessage(source: object, message: object = {}): boolean {
  const fields = Object.entries(source).filter(([, value]) => value !== null && value !== undefined)
  const read = message as Record<string, unknown>
  return fields.every(([field, value]) => read[field] === value)
}

/**
 * The fields of a row that its document does not say in the same words, as pairs: an id, another spelling, a date
 * that is none, a field that nobody knows any more.
 *
 * @param stored what the document says, by the names of the row; `true` for a field that is kept in another form.
 */
export function leftOver(row: LegacyRow, stored: Readonly<Record<string, unknown>>): KeptPair[] {
  return Object.entries(row).flatMap(([key, value]) => {
    if (value === null || value === undefined) return []
    const said = Object.hasOwn(stored, key) ? stored[key] : undefined
    if (said === true || said === value) return []
    if (said instanceof Date && said.toISOString() === value) return []
    const { captured, cut } = boundFreeForm({ value })
    return [{ key, value: cut ? JSON.stringify(value) : captured.value }]
  })
}

/** Free-form data with these pairs among its `legacy` ones. */
export function withLegacy(metadata: FreeForm, kept: readonly KeptPair[]): FreeForm {
  if (kept.length === 0) return metadata
  const { legacy, ...rest } = metadata
  const already =
    legacy === undefined ? [] : Array.isArray(legacy) ? legacy : [{ key: 'legacy', value: legacy }]
  return { ...rest, legacy: [...already, ...kept] }
}
