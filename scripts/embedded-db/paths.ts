import { arrayIndex, type Doc, field, isDoc, type Maybe } from './values.js'

/** Decides on one value. */
export type Test = (value: Maybe) => boolean

/**
 * Whether a dotted path leads to a value that passes, looking into arrays on the way as a MongoDB query does: each
 * document in an array is looked into, a number also picks an element, and a path that ends early is missing.
 * With `elements`, a value that is an array passes also when one of its elements does.
 */
export function anyAt(root: Doc, path: readonly string[], test: Test, elements: boolean, depth = 0): boolean {
  const value = field(root, path[depth] as string)
  if (depth === path.length - 1) return (elements && Array.isArray(value) && value.some(test)) || test(value)
  if (Array.isArray(value)) return inArray(value, path, test, elements, depth + 1)
  return isDoc(value) ? anyAt(value, path, test, elements, depth + 1) : test(undefined)
}

function inArray(
  array: Maybe[],
  path: readonly string[],
  test: Test,
  elements: boolean,
  depth: number,
): boolean {
  if (array.some(element => isDoc(element) && anyAt(element, path, test, elements, depth))) return true
  const picked = arrayIndex(path[depth] as string)
  if (picked === undefined || picked >= array.length) return false
  const element = array[picked]
  if (depth === path.length - 1) return test(element)
  if (Array.isArray(element)) return inArray(element, path, test, elements, depth + 1)
  return isDoc(element) && anyAt(element, path, test, elements, depth + 1)
}
