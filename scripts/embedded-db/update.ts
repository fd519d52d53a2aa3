import { withIdFirst } from './documents.js'
import { CommandError, unsupported } from './errors.js'
import { compileExpression } from './expression.js'
import { equal, identical } from './order.js'
import { isOperators } from './predicate.js'
import { UPDATE_OPERATORS } from './update-operators.js'
import { changed } from './update-path.js'
import { type Doc, field, fieldsOf, isDoc, namesOf, type Value, withField } from './values.js'

/** A compiled update: an old document in, the new one out, or the same one where nothing changes. */
export interface Update {
  kind: 'operators' | 'replacement' | 'pipeline'
  apply: (document: Doc, inserting: boolean) => Doc
}

/** Reads an update of any of MongoDB's three kinds. Throws conflicts (40), and for operators that are not covered. */
export function compileUpdate(update: Value): Update {
  if (Array.isArray(update)) {
    const stages = update.map(compileStage)
    const transform = (document: Doc) => stages.reduce((before, stage) => stage(before), document)
    return { kind: 'pipeline', apply: document => replaced(document, transform(document)) }
  }
  if (!isDoc(update)) throw new CommandError('FailedToParse', 'Update argument must be an object or an array')
  if (isOperators(update)) return { kind: 'operators', apply: compileOperators(update) }
  return { kind: 'replacement', apply: document => replaced(document, update) }
}

/** The whole new document under the old one's `_id`. */
function replaced(document: Doc, replacement: Doc): Doc {
  const id = field(document, '_id')
  if (id === undefined) return replacement
  const own = field(replacement, '_id')
  if (own !== undefined && !equal(own, id)) throw immutableId()
  const next = withIdFirst(replacement, id)
  return identical(document, next) ? document : next
}

function immutableId(): CommandError {
  return new CommandError('ImmutableField', "the update would modify the immutable field '_id'")
}

interface Step {
  parts: readonly string[]
  onlyOnInsert: boolean
  run: (document: Doc) => Doc
}

function compileOperators(update: Doc): Update['apply'] {
  const steps = fieldsOf(update).flatMap(([operator, operands]) => {
    if (isDoc(operands)) return fieldsOf(operands).map(([path, operand]) => readStep(operator, path, operand))
    throw new CommandError('FailedToParse', `${operator} takes a document of fields`)
  })
  // New fields are added in the order of their names, whatever order the update is in.
  steps.sort((one, other) => comparePaths(one.parts, other.parts))
  for (const [at, { parts }] of steps.entries()) {
    // Sorted, a path stands right behind one that leads to it, or behind others that do.
    const before = steps[at - 1]?.parts
    if (before?.every((part, depth) => part === parts[depth])) {
      const reason = `Updating the path '${parts.join('.')}' would create a conflict at '${before.join('.')}'`
      throw new CommandError('ConflictingUpdateOperators', reason)
    }
  }
  return (document, inserting) => {
    let next = document
    for (const step of steps) if (inserting || !step.onlyOnInsert) next = step.run(next)
    const [id, nextId] = [field(document, '_id'), field(next, '_id')]
    if (id !== undefined && nextId !== id && !equal(nextId, id)) throw immutableId()
    return next
  }
}

function readStep(operator: string, path: string, operand: Value): Step {
  const read = operator.startsWith('$') ? UPDATE_OPERATORS[operator] : undefined
  if (!read) throw unsupported(`The update operator ${operator}`)
  const parts = path.split('.')
  if (parts.some(part => part === '' || part.startsWith('$')))
    throw unsupported(`An update of the path '${path}'`)
  const creates = operator !== '$unset' && operator !== '$pull'
  const change = { parts, apply: read(operand, path), creates }
  return { parts, onlyOnInsert: operator === '$setOnInsert', run: document => changed(document, change) }
}

function comparePaths(one: readonly string[], other: readonly string[]): number {
  const at = one.findIndex((part, depth) => part !== other[depth])
  if (at < 0) return one.length - other.length
  const [left, right] = [one[at] as string, other[at]]
  return right === undefined || left > right ? 1 : -1
}

function compileStage(stage: Value): (document: Doc) => Doc {
  const [name, ...others] = isDoc(stage) ? namesOf(stage) : []
  const operand = isDoc(stage) && name !== undefined ? field(stage, name) : undefined
  if (name === '$set' && isDoc(operand) && others.length === 0) return compileSet(operand)
  if (name === '$replaceWith' && operand !== undefined && others.length === 0)
    return compileReplaceWith(operand)
  throw unsupported(`The update stage ${name}`)
}

function compileSet(fields: Doc): (document: Doc) => Doc {
  const values = fieldsOf(fields).map(([name, value]) => {
    const isNested = isDoc(value) && !isOperators(value)
    if (isNested || name.includes('.') || name.startsWith('$'))
      throw unsupported(`A path into '${name}' in the stage $set`)
    return { name, expression: compileExpression(value) }
  })
  return document => {
    let next = document
    for (const { name, expression } of values) next = withField(next, name, expression(document))
    return next
  }
}

function compileReplaceWith(operand: Value): (document: Doc) => Doc {
  const expression = compileExpression(operand)
  return document => {
    const root = expression(document)
    if (isDoc(root)) return root
    throw new CommandError('BadValue', "'newRoot' expression must evaluate to an object")
  }
}
