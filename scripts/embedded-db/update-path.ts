import { CommandError, unsupported } from './errors.js'
import { identical } from './order.js'
import { type Doc, docOf, field, isDoc, type Maybe, typeOf, withField } from './values.js'

/** What one update operator does at the end of its path: old value in, new value out, `undefined` for none. */
export interface Change {
  parts: readonly string[]
  apply: (old: Maybe) => Maybe
  /** Whether what is missing on the way is made (`$set`) or left alone (`$unset`, `$pull`). */
  creates: boolean
}

/**
 * A document with one change made; the same document where the change makes no difference. What is not on the path is
 * shared with the old one. Throws PathNotViable (28) where a scalar is in the way; a way through arrays is refused.
 */
export function changed(document: Doc, change: Change, depth = 0): Doc {
  const { parts, apply, creates } = change
  const name = parts[depth] as string
  const old = field(document, name)
  if (depth === parts.length - 1) {
    const next = apply(old)
    return next === old || (old !== undefined && identical(old, next))
      ? document
      : withField(document, name, next)
  }
  if (isDoc(old)) {
    const next = changed(old, change, depth + 1)
    return next === old ? document : withField(document, name, next)
  }
  if (Array.isArray(old))
    throw unsupported(`An update through the array at '${parts.slice(0, depth + 1).join('.')}'`)
  if (old === undefined) {
    return creates ? withField(document, name, made(parts.slice(depth + 1), apply(undefined))) : document
  }
  const reason = `Cannot create field '${parts[depth + 1]}' in the ${typeOf(old)} '${name}'`
  throw new CommandError('PathNotViable', reason)
}

/** The nested documents that have to be there for a value at a path's end. */
function made(parts: readonly string[], value: Maybe): Maybe {
  return value === undefined ? undefined : parts.reduceRight((inner, name) => docOf([[name, inner]]), value)
}
