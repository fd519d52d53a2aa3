import { CommandError } from './errors.js'
import { identical } from './order.js'
import { type Filter, matches } from './predicate.js'
import { show } from './show.js'
import { arrayIndex, type Doc, docOf, field, isDoc, type Maybe, type Value, withField } from './values.js'

/** What one update operator does at the end of its path: old value in, new value out, `undefined` for none. */
export interface Change {
  parts: readonly string[]
  apply: (old: Maybe) => Maybe
  /** Whether what is missing on the way is made (`$set`) or left alone (`$unset`, `$pull`). */
  creates: boolean
  /** For what makes nothing: whether a scalar on the way is an error all the same (not of `$unset`). */
  blocked?: boolean | undefined
}

/** What `$[identifier]` means in one update, and which elements it has been applied to. */
export interface ArrayUpdates {
  filters: ReadonlyMap<string, Filter>
  /** The document as it was before the update: what the filters are about. */
  original: Doc
  touched?: string[]
}

const MAX_PADDING = 1_500_000

/**
 * A document with one change made; the same document where the change makes no difference. What is not on the path is
 * shared with the old one. Throws PathNotViable (28), and BadValue (2) where an array path does not fit.
 */
export function changed(document: Doc, change: Change, arrays?: ArrayUpdates): Doc {
  return inDocument(document, 0, change, arrays ?? { filters: new Map(), original: document })
}

/** Throws ConflictingUpdateOperators (40) where one of two paths is the other or leads to it. */
export function assertNoConflict(path: string, others: readonly string[]): void {
  for (const other of others) {
    const at = conflictOf(path.split('.'), other.split('.'))
    if (at === undefined) continue
    const reason = `Updating the path '${path}' would create a conflict at '${at}'`
    throw new CommandError('ConflictingUpdateOperators', reason)
  }
}

/** Where two paths are in each other's way: one leads to the other, or only one takes the elements of an array. */
function conflictOf(one: readonly string[], other: readonly string[]): string | undefined {
  const shared = one.findIndex((part, at) => part !== other[at])
  const length = shared < 0 ? one.length : shared
  const [left, right] = [one[length], other[length]]
  const apart = left !== undefined && right !== undefined && left.startsWith('$[') === right.startsWith('$[')
  return apart ? undefined : one.slice(0, length).join('.')
}

function inDocument(document: Doc, depth: number, change: Change, arrays: ArrayUpdates): Doc {
  const name = change.parts[depth] as string
  const old = field(document, name)
  const next = atValue(old, depth + 1, change, arrays)
  return next === old ? document : withField(document, name, next)
}

function atValue(old: Maybe, depth: number, change: Change, arrays: ArrayUpdates): Maybe {
  const { parts, apply, creates, blocked } = change
  if (depth === parts.length) {
    if (arrays.touched) {
      const path = parts.join('.')
      assertNoConflict(path, arrays.touched)
      arrays.touched.push(path)
    }
    const next = apply(old)
    return old !== undefined && identical(old, next) ? old : next
  }
  const part = parts[depth] as string
  if (part.startsWith('$[')) return inElements(old, depth, change, arrays)
  if (isDoc(old)) return inDocument(old, depth, change, arrays)
  const index = arrayIndex(part)
  if (Array.isArray(old) && index !== undefined) return inElement(old, index, depth, change, arrays)
  if (old === undefined) return creates ? made(depth, change) : old
  if (!creates && !blocked) return old
  throw new CommandError(
    'PathNotViable',
    `Cannot create field '${part}' in element {${parts[depth - 1]}: ${show(old)}}`,
  )
}

function inElement(
  array: Value[],
  index: number,
  depth: number,
  change: Change,
  arrays: ArrayUpdates,
): Value[] {
  if (index >= array.length && !change.creates) return array
  if (index - array.length > MAX_PADDING) {
    throw new CommandError('BadValue', `can't backfill more than ${MAX_PADDING} elements`)
  }
  const next = atValue(array[index], depth + 1, change, arrays)
  if (next === array[index]) return array
  const copy = array.slice()
  while (copy.length < index) copy.push(null)
  // An element is never cut out by its number: what is unset becomes null.
  copy[index] = next ?? null
  return copy
}

function inElements(old: Maybe, depth: number, change: Change, arrays: ArrayUpdates): Maybe {
  const { parts } = change
  const path = parts.slice(0, depth).join('.')
  if (old === undefined) throw mustExist(path)
  if (!Array.isArray(old)) {
    throw new CommandError(
      'BadValue',
      `Cannot apply array updates to non-array element ${path}: ${show(old)}`,
    )
  }
  const identifier = (parts[depth] as string).slice(2, -1)
  const filter = arrays.filters.get(identifier)
  const before = originalArray(arrays.original, parts.slice(0, depth))
  let differs = false
  const next = old.map((element, index) => {
    if (filter && !matches(filter, { [identifier]: before[index] ?? null })) return element
    const at = { ...change, parts: parts.with(depth, String(index)) }
    // What has been set as a whole has no fields left to set.
    const own = at.parts.slice(0, depth + 1).join('.')
    if (arrays.touched?.includes(own)) assertNoConflict(own, [own])
    const value = atValue(element, depth + 1, at, arrays) ?? null
    differs ||= value !== element
    return value
  })
  return differs ? next : old
}

function originalArray(original: Doc, path: readonly string[]): Value[] {
  let value: Maybe = original
  for (const part of path) {
    value = isDoc(value) ? field(value, part) : Array.isArray(value) ? value[Number(part)] : undefined
  }
  return Array.isArray(value) ? value : []
}

/** The nested documents that have to be there for the value at the path's end. */
function made(depth: number, { parts, apply }: Change): Maybe {
  let value = apply(undefined)
  if (value === undefined) return undefined
  for (let at = parts.length - 1; at >= depth; at--) {
    const name = parts[at] as string
    if (name.startsWith('$[')) throw mustExist(parts.slice(0, at).join('.'))
    value = docOf([[name, value]])
  }
  return value
}

function mustExist(path: string): CommandError {
  const reason = `The path '${path}' must exist in the document in order to apply array updates.`
  return new CommandError('BadValue', reason)
}
