import { CommandError, unsupported } from './errors.js'
import { invert, orderKey, RANK } from './order.js'
import { type Doc, docOf, field, isDoc, isNumeric, type Maybe, toNumber, type Value } from './values.js'

/** One field of an index or of a sort. */
export interface KeyField {
  path: string
  parts: readonly string[]
  direction: 1 | -1
}

/** Reads one field of an index or a sort. Refuses directions other than 1 and -1, and paths of another kind. */
export function readKeyField(path: string, value: Value): KeyField {
  const direction = isNumeric(value) ? toNumber(value) : 0
  if (direction !== 1 && direction !== -1) throw unsupported(`'${value}' for '${path}' in an index or a sort`)
  const parts = path.split('.')
  // A number picks an array's element or a document's field, by document: too subtle to be worth it here.
  if (parts.some(part => part === '' || part.startsWith('$') || /^\d+$/.test(part))) {
    throw unsupported(`An index or a sort on the path '${path}'`)
  }
  return { path, parts, direction }
}

/** The values of one index key, a missing field being `undefined`, or `EMPTY` for an array without elements. */
export type KeyValues = (Maybe | typeof EMPTY)[]

const EMPTY = Symbol('empty array')
const EMPTY_KEY = String.fromCharCode(RANK.missing)

/**
 * Every key a document has in an index: one, or with an array one for each element, the fields within one array
 * walked together. `multikey[i]` is set where field i met an array. Two different arrays are error 171.
 */
export function indexKeys(document: Doc, fields: readonly KeyField[], multikey?: boolean[]): KeyValues[] {
  return expand(
    fields.map(({ parts }) => ({ value: document, rest: parts, done: false })),
    fields,
    multikey,
  )
}

interface Cursor {
  value: Maybe | typeof EMPTY
  rest: readonly string[]
  done: boolean
}

function expand(
  cursors: Cursor[],
  fields: readonly KeyField[],
  multikey: boolean[] | undefined,
): KeyValues[] {
  let array: Maybe[] | undefined
  let arrayPath: string | undefined
  const walked = cursors.map((cursor, index) => {
    const reached = cursor.done ? cursor : walk(cursor)
    if (reached.done || !Array.isArray(reached.value)) return reached
    const { path, parts } = fields[index] as KeyField
    const prefix = parts.slice(0, parts.length - reached.rest.length).join('.')
    if (arrayPath !== undefined && arrayPath !== prefix) {
      throw new CommandError(
        'CannotIndexParallelArrays',
        `cannot index parallel arrays [${path}] [${arrayPath}]`,
      )
    }
    array = reached.value
    arrayPath = prefix
    if (multikey) multikey[index] = true
    return reached
  })
  if (!array) return [walked.map(cursor => cursor.value)]
  const step = (element: Maybe | typeof EMPTY): Cursor[] =>
    walked.map(cursor => {
      if (cursor.done) return cursor
      if (cursor.rest.length === 0) return { value: element, rest: cursor.rest, done: true }
      return isDoc(element) ? { ...cursor, value: element } : { value: undefined, rest: [], done: true }
    })
  if (array.length === 0) return expand(step(EMPTY), fields, multikey)
  return array.flatMap(element => expand(step(element), fields, multikey))
}

/** Follows a path up to its end, to the first array or to where it breaks off. */
function walk(cursor: Cursor): Cursor {
  let value = cursor.value
  let depth = 0
  while (depth < cursor.rest.length && isDoc(value)) value = field(value, cursor.rest[depth++] as string)
  if (Array.isArray(value)) return { value, rest: cursor.rest.slice(depth), done: false }
  return { value: depth < cursor.rest.length ? undefined : value, rest: [], done: true }
}

/** The order key of a whole index key, with the bytes of descending fields turned round. */
export function compoundKey(values: KeyValues, fields: readonly KeyField[]): string {
  let key = ''
  for (let index = 0; index < fields.length; index++) {
    const value = values[index]
    const part = value === EMPTY ? EMPTY_KEY : orderKey((value as Maybe) ?? null)
    key += fields[index]?.direction === -1 ? invert(part) : part
  }
  return key
}

/** A key's values as a duplicate-key error shows them: null where a field is missing. */
export function shownValues(values: KeyValues, fields: readonly KeyField[]): Doc {
  return docOf(
    fields.map(({ path }, index): [string, Value] => {
      const value = values[index]
      return [path, value === EMPTY || value === undefined ? null : value]
    }),
  )
}
