import { unsupported } from './errors.js'
import type { Doc, Value } from './values.js'

export function compileUpdatePipeline(_: Value[]): (document: Doc) => Doc {
  throw unsupported('A pipeline update')
}
