import { CommandError, unsupported } from './errors.js'
import { type Doc, docOf, fieldsOf, isDoc, isNumeric, isTruthy, type Maybe, type Value } from './values.js'

/** Which fields are kept, and of those that hold documents, which fields of theirs. */
interface Tree extends Map<string, Tree | 'whole'> {}

/** Reads the projection of a find or findAndModify: what it keeps, or what it leaves out. Anything else is refused. */
export function compileProjection(projection: Doc | undefined): (document: Doc) => Doc {
  const fields = fieldsOf(projection ?? {}).map(([path, value]) => ({ path, keeps: keepsField(path, value) }))
  const [id, others] = [
    fields.find(({ path }) => path === '_id'),
    fields.filter(({ path }) => path !== '_id'),
  ]
  const keeps = (others[0] ?? id)?.keeps ?? false
  const stranger = others.find(field => field.keeps !== keeps)
  if (stranger) {
    throw new CommandError(
      'BadValue',
      `A projection keeps fields or leaves them out; '${stranger.path}' is the other`,
    )
  }
  if (keeps) {
    // `_id` comes along unless it is left out.
    const tree: Tree = new Map(id?.keeps === false ? [] : [['_id', 'whole']])
    for (const { path } of others) plant(tree, path)
    return document => kept(document, tree) as Doc
  }
  const dropped = new Set([...others, ...(id?.keeps === false ? [id] : [])].map(({ path }) => path))
  for (const path of dropped) if (path.includes('.')) throw unsupported(`Leaving out the path '${path}'`)
  if (dropped.size === 0) return document => document
  return document => docOf(fieldsOf(document).filter(([name]) => !dropped.has(name)))
}

function keepsField(path: string, value: Value): boolean {
  const isSupported = isNumeric(value) || typeof value === 'boolean'
  if (!isSupported || path.includes('$')) throw unsupported(`The projection of '${path}'`)
  return isTruthy(value)
}

function plant(tree: Tree, path: string): void {
  const parts = path.split('.')
  let at = tree
  for (const [depth, part] of parts.entries()) {
    const isLast = depth === parts.length - 1
    const there = at.get(part)
    if (there && (isLast || there === 'whole'))
      throw new CommandError('BadValue', `Path collision at ${path}`)
    const next: Tree = there instanceof Map ? there : new Map()
    at.set(part, isLast ? 'whole' : next)
    at = next
  }
}

/** A value with the fields of the tree alone, also of each element of an array; a scalar has none. */
function kept(value: Value, tree: Tree): Maybe {
  if (Array.isArray(value)) return value.map(element => kept(element, tree)).filter(isThere)
  if (!isDoc(value)) return undefined
  return docOf(
    fieldsOf(value).flatMap(([name, inner]): [string, Value][] => {
      const node = tree.get(name)
      const left = node instanceof Map ? kept(inner, node) : node && inner
      return left === undefined ? [] : [[name, left]]
    }),
  )
}

function isThere(value: Maybe): value is Value {
  return value !== undefined
}
