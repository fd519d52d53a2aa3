import { arrayIndex, type Doc, field, isDoc, type Maybe } from './values.js'

/** Where in the first array that a path crossed the match was: what the positional operator `$` stands for. */
export interface ArrayMatch {
  index?: number
}

/** Decides on one value; `$elemMatch` tells in `match` which element it was. */
export type Test = (value: Maybe, match?: ArrayMatch) => boolean

/**
 * Whether a dotted path leads to a value that passes, looking into arrays on the way as a MongoDB query does: each
 * document in an array is looked into, a number also picks an element, and a path that ends early is missing.
 * With `elements`, a value that is an array passes also when one of its elements does.
 */
export function anyAt(
  root: Doc,
  path: readonly string[],
  test: Test,
  elements: boolean,
  match?: ArrayMatch,
): boolean {
  return inDocument(root, path, 0, test, elements, match)
}

function inDocument(
  document: Doc,
  path: readonly string[],
  depth: number,
  test: Test,
  elements: boolean,
  match?: ArrayMatch,
): boolean {
  const value = field(document, path[depth] as string)
  if (depth === path.length - 1) return atEnd(value, test, elements, match)
  if (Array.isArray(value)) return inArray(value, path, depth + 1, test, elements, match)
  return isDoc(value) ? inDocument(value, path, depth + 1, test, elements, match) : test(undefined)
}

function inArray(
  array: Maybe[],
  path: readonly string[],
  depth: number,
  test: Test,
  elements: boolean,
  match?: ArrayMatch,
): boolean {
  const found = array.findIndex(
    element => isDoc(element) && inDocument(element, path, depth, test, elements, match),
  )
  if (found >= 0) {
    if (match) match.index = found
    return true
  }
  const picked = arrayIndex(path[depth] as string)
  if (picked === undefined || picked >= array.length) return false
  const element = array[picked]
  if (depth === path.length - 1) return test(element, match)
  if (Array.isArray(element)) return inArray(element, path, depth + 1, test, elements, match)
  return isDoc(element) && inDocument(element, path, depth + 1, test, elements, match)
}

function atEnd(value: Maybe, test: Test, elements: boolean, match?: ArrayMatch): boolean {
  if (elements && Array.isArray(value)) {
    const found = value.findIndex(element => test(element))
    if (found >= 0) {
      if (match) match.index = found
      return true
    }
  }
  return test(value, match)
}
