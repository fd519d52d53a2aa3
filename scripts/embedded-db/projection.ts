import { CommandError, unsupported } from './errors.js'
import { type Context, compileExpression } from './expression/expression.js'
import { isOperators, matches, parseFilter } from './predicate.js'
import {
  type Doc,
  docOf,
  field,
  fieldsOf,
  isDoc,
  isNumeric,
  isTruthy,
  type Maybe,
  namesOf,
  toNumber,
  type Value,
} from './values.js'

type Leaf =
  | { kind: 'keep' }
  | { kind: 'drop' }
  /** A new value for the field, worked out from the whole document. */
  | { kind: 'compute'; compute: (root: Doc) => Maybe }
  /** A narrower form of the field's own value: `$slice` at its place, `$elemMatch` behind what is included. */
  | { kind: 'slice' | 'match'; narrow: (value: Value) => Maybe }

type Tree = Map<string, Tree | Leaf>

/** Whether fields that the tree does not name stay, and whether computed ones take the place of the old. */
type Mode = 'include' | 'exclude' | 'add'

type Projector = (document: Doc) => Doc

/** Reads the projection of a find or findAndModify. Throws for mixtures, collisions and what is not covered. */
export function compileProjection(projection: Doc | undefined): Projector {
  if (!projection || namesOf(projection).length === 0) return document => document
  return compile(projection, true, undefined)
}

/** Reads a `$project` stage. */
export function compileProjectStage(projection: Doc, context: Context): Projector {
  if (namesOf(projection).length === 0) {
    throw new CommandError(
      51272,
      'Invalid $project :: caused by :: projection specification must have at least one field',
    )
  }
  return compile(projection, false, context)
}

/** Reads an `$addFields` or `$set` stage. */
export function compileAddFields(fields: Doc, context: Context): Projector {
  const tree: Tree = new Map()
  plant(tree, fields, value => ({ kind: 'compute', compute: compileExpression(value, context) }), [])
  return document => visit(document, tree, document, 'add')
}

/** Reads an `$unset` stage. */
export function compileUnset(paths: readonly string[]): Projector {
  const tree: Tree = new Map()
  for (const path of paths) plantAt(tree, path.split('.'), { kind: 'drop' })
  return document => visit(document, tree, document, 'exclude')
}

function compile(projection: Doc, isFind: boolean, context: Context | undefined): Projector {
  const tree: Tree = new Map()
  let mode: Mode | undefined
  let [slices, matched] = [false, false]
  const readLeaf = (value: Value, path: string): Leaf => {
    const leaf = isFind ? (findOperator(value) ?? plainLeaf(value, context)) : plainLeaf(value, context)
    if (leaf.kind === 'match' && path.includes('.')) {
      throw new CommandError(31275, 'Cannot use $elemMatch projection on a nested field')
    }
    if (leaf.kind === 'slice' || leaf.kind === 'match') {
      slices ||= leaf.kind === 'slice'
      matched ||= leaf.kind === 'match'
      return leaf
    }
    if (path === '_id' && leaf.kind !== 'compute') return leaf
    const wanted: Mode = leaf.kind === 'drop' ? 'exclude' : 'include'
    if (mode && mode !== wanted) {
      throw new CommandError(
        wanted === 'exclude' ? 31254 : 31253,
        `Cannot do ${wanted === 'exclude' ? 'exclusion' : 'inclusion'} on field ${path} in ${mode === 'exclude' ? 'exclusion' : 'inclusion'} projection`,
      )
    }
    mode = wanted
    return leaf
  }
  plant(tree, projection, readLeaf, [])
  const id = tree.get('_id')
  const keepsRest = (slices && leafKind(id) !== 'keep') || leafKind(id) === 'drop'
  const settled = mode ?? (keepsRest && !matched ? 'exclude' : 'include')
  if (settled === 'include' && !id) tree.set('_id', { kind: 'keep' })
  return document => visit(document, tree, document, settled)
}

function leafKind(node: Tree | Leaf | undefined): Leaf['kind'] | undefined {
  return node && !(node instanceof Map) ? node.kind : undefined
}

function plainLeaf(value: Value, context: Context | undefined): Leaf {
  if (isNumeric(value) || typeof value === 'boolean') return { kind: isTruthy(value) ? 'keep' : 'drop' }
  return { kind: 'compute', compute: compileExpression(value, context) }
}

/** `$slice` and `$elemMatch`, which in a find are not expressions. */
function findOperator(value: Value): Leaf | undefined {
  if (!isDoc(value)) return undefined
  const [operator] = namesOf(value)
  if (operator === '$meta') throw unsupported('$meta')
  if (operator === '$elemMatch') {
    const filter = parseFilter({ array: value })
    const first = (array: Value[]) => array.find(element => matches(filter, { array: [element] }))
    return {
      kind: 'match',
      narrow: held => {
        const found = Array.isArray(held) ? first(held) : undefined
        return found === undefined ? undefined : [found]
      },
    }
  }
  if (operator !== '$slice') return undefined
  const slice = field(value, '$slice') as Value
  const bounds = Array.isArray(slice) ? slice : [slice]
  const [one, two] = bounds.map(bound => (isNumeric(bound) ? Math.trunc(toNumber(bound)) : Number.NaN))
  if (
    one === undefined ||
    Number.isNaN(one) ||
    Number.isNaN(two ?? 0) ||
    bounds.length > 2 ||
    (two ?? 1) <= 0
  ) {
    throw new CommandError(
      28667,
      'Invalid $slice syntax: it takes a number, or [skip, limit] with a positive limit',
    )
  }
  return { kind: 'slice', narrow: held => (Array.isArray(held) ? sliced(held, one, two) : held) }
}

function sliced(array: Value[], one: number, two: number | undefined): Value[] {
  if (two === undefined) return one >= 0 ? array.slice(0, one) : array.slice(one)
  const from = one >= 0 ? one : Math.max(0, array.length + one)
  return array.slice(from, from + two)
}

function plant(
  tree: Tree,
  fields: Doc,
  readLeaf: (value: Value, path: string) => Leaf,
  above: string[],
): void {
  for (const [name, value] of fieldsOf(fields)) {
    const parts = [...above, ...name.split('.')]
    if (parts.includes('')) throw new CommandError(40353, 'FieldPath must not have an empty component')
    if (parts.includes('$')) throw unsupported('The positional projection')
    if (parts.some(part => part.startsWith('$'))) {
      throw new CommandError(
        16410,
        `FieldPath field names may not start with '$'. Consider using $getField or $setField.`,
      )
    }
    const nested = isDoc(value) && namesOf(value).length > 0 && !isOperators(value)
    if (nested) plant(tree, value, readLeaf, parts)
    else plantAt(tree, parts, readLeaf(value, parts.join('.')))
  }
}

function plantAt(tree: Tree, parts: readonly string[], leaf: Leaf): void {
  let at = tree
  for (const [depth, part] of parts.entries()) {
    const there = at.get(part)
    const last = depth === parts.length - 1
    if (last && there) throw new CommandError(31250, `Path collision at ${parts.join('.')}`)
    if (there && !(there instanceof Map)) {
      const rest = parts.slice(depth + 1).join('.')
      throw new CommandError(31249, `Path collision at ${parts.join('.')} remaining portion ${rest}`)
    }
    if (last) at.set(part, leaf)
    else {
      const next = (there as Tree | undefined) ?? new Map()
      at.set(part, next)
      at = next
    }
  }
}

function visit(document: Doc, tree: Tree, root: Doc, mode: Mode): Doc {
  const fields: [string, Value][] = []
  const placed = new Set<string>()
  const place = (name: string, value: Maybe) => {
    if (value === undefined) return
    fields.push([name, value])
    placed.add(name)
  }
  for (const [name, value] of fieldsOf(document)) {
    const node = tree.get(name)
    place(name, node ? visitField(value, node, root, mode) : mode === 'include' ? undefined : value)
  }
  for (const [name, node] of tree) {
    if (placed.has(name)) continue
    const held = field(document, name)
    if (!(node instanceof Map))
      place(name, node.kind === 'match' && held !== undefined ? node.narrow(held) : computed(node, root))
    else if (held === undefined) place(name, computedBelow(node, root))
  }
  return docOf(fields)
}

function visitField(value: Value, node: Tree | Leaf, root: Doc, mode: Mode): Maybe {
  if (node instanceof Map) return visitBelow(value, node, root, mode)
  if (node.kind === 'slice' || (node.kind === 'match' && mode === 'exclude')) return node.narrow(value)
  if (node.kind === 'compute') return mode === 'add' ? node.compute(root) : undefined
  return node.kind === 'keep' ? value : undefined
}

function visitBelow(value: Value, tree: Tree, root: Doc, mode: Mode): Maybe {
  if (Array.isArray(value)) {
    return value.flatMap(element => {
      const kept = visitBelow(element, tree, root, mode)
      return kept === undefined ? [] : [kept]
    })
  }
  if (isDoc(value)) return visit(value, tree, root, mode)
  if (mode === 'exclude') return value
  // A scalar gives way to the document that holds what is computed below it.
  return computedBelow(tree, root) ?? (mode === 'add' ? value : undefined)
}

function computed(leaf: Leaf, root: Doc): Maybe {
  return leaf.kind === 'compute' ? leaf.compute(root) : undefined
}

/** The document of what is computed below a field that has no document; undefined where nothing is. */
function computedBelow(tree: Tree, root: Doc): Doc | undefined {
  const fields: [string, Value][] = []
  let computes = false
  for (const [name, node] of tree) {
    computes ||= leafKind(node) === 'compute'
    const value = node instanceof Map ? computedBelow(node, root) : computed(node, root)
    if (value !== undefined) fields.push([name, value])
  }
  return computes || fields.length > 0 ? docOf(fields) : undefined
}
