import { unsupported } from './errors.js'
import type { Doc, Maybe, Value } from './values.js'

export function compileExpression(_: Value): (document: Doc) => Maybe {
  throw unsupported('$expr')
}
