import { withIdFirst } from './documents.js'
import { CommandError } from './errors.js'
import { equal, identical } from './order.js'
import { type Filter, isOperators, parseFilter } from './predicate.js'
import { refuseOperator, UPDATE_OPERATORS } from './update-operators.js'
import { type ArrayUpdates, assertNoConflict, type Change, changed } from './update-path.js'
import { compileUpdatePipeline } from './update-pipeline.js'
import { arrayIndex, type Doc, field, fieldsOf, isDoc, type Maybe, namesOf, type Value } from './values.js'

interface Moment {
  /** The element that the filter matched, for the positional operator `$`. */
  position?: number | undefined
  /** Whether this makes a new document in an upsert. */
  inserting: boolean
}

/** A compiled update: an old document in, the new one out, or the same one where nothing changes. */
export interface Update {
  kind: 'operators' | 'replacement' | 'pipeline'
  apply: (document: Doc, moment: Moment) => Doc
}

/** Reads an update of any of MongoDB's three kinds. Throws FailedToParse, conflicts (40) and what operators throw. */
export function compileUpdate(update: Value, arrayFilters?: Value): Update {
  if (Array.isArray(update)) {
    if (arrayFilters !== undefined) {
      throw new CommandError('FailedToParse', 'Cannot specify arrayFilters and a pipeline update')
    }
    const transform = compileUpdatePipeline(update)
    return { kind: 'pipeline', apply: document => replaced(document, transform(document)) }
  }
  if (!isDoc(update)) throw new CommandError('FailedToParse', 'Update argument must be an object or an array')
  if (isOperators(update)) {
    return { kind: 'operators', apply: compileOperators(update, arrayFilters) }
  }
  const dollar = namesOf(update).find(name => name.startsWith('$'))
  if (dollar) {
    throw new CommandError(
      'DollarPrefixedFieldName',
      `The dollar ($) prefixed field '${dollar}' in '${dollar}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
    )
  }
  if (arrayFilters !== undefined) {
    throw new CommandError('FailedToParse', 'Cannot specify arrayFilters and a replacement update')
  }
  return { kind: 'replacement', apply: document => replaced(document, update) }
}

/** The whole new document under the old one's `_id`. */
function replaced(document: Doc, replacement: Doc): Doc {
  const id = field(document, '_id')
  if (id === undefined || replacement === document) return replacement
  const own = field(replacement, '_id')
  if (own !== undefined && !equal(own, id)) {
    throw new CommandError(
      'ImmutableField',
      `After applying the update, the (immutable) field '_id' was found to have been altered`,
    )
  }
  const next = withIdFirst(replacement, id)
  return identical(document, next) ? document : next
}

interface Step {
  path: string
  onlyOnInsert: boolean
  run: (document: Doc, moment: Moment, arrays: ArrayUpdates) => Doc
}

function compileOperators(update: Doc, arrayFilters: Maybe): (document: Doc, moment: Moment) => Doc {
  const steps: Step[] = []
  const paths: string[] = []
  for (const [operator, operands] of fieldsOf(update)) {
    if (!(operator in READERS) && !Object.hasOwn(UPDATE_OPERATORS, operator)) refuseOperator(operator)
    if (!isDoc(operands)) {
      throw new CommandError(
        'FailedToParse',
        `Modifiers operate on fields but we found another type instead. For example: {$mod: {<field>: ...}} not {${operator}: …}`,
      )
    }
    for (const [path, operand] of fieldsOf(operands)) {
      for (const written of operator === '$rename' ? [path, String(operand)] : [path]) {
        assertNoConflict(written, paths)
        paths.push(written)
      }
      steps.push((READERS[operator] ?? readStep)(path, operand, operator))
    }
  }
  // New fields are added in the order of their names, numbers by their value, whatever order the update is in.
  steps.sort((one, other) => comparePaths(one.path, other.path))
  const filters = readArrayFilters(arrayFilters, paths)
  const watched = paths.some(path => path.includes('$'))
  return (document, moment) => {
    const arrays: ArrayUpdates = { filters, original: document, ...(watched ? { touched: [] } : {}) }
    let next = document
    for (const step of steps) {
      if (moment.inserting || !step.onlyOnInsert) next = step.run(next, moment, arrays)
    }
    const [id, nextId] = [field(document, '_id'), field(next, '_id')]
    if (id !== undefined && nextId !== id && !equal(nextId, id)) {
      throw new CommandError(
        'ImmutableField',
        "Performing an update on the path '_id' would modify the immutable field '_id'",
      )
    }
    return next
  }
}

const READERS: Record<string, (path: string, operand: Value, operator: string) => Step> = {
  $setOnInsert: (path, operand) => ({ ...readStep(path, operand, '$set'), onlyOnInsert: true }),
  $rename: readRename,
}

function readStep(path: string, operand: Value, operator: string): Step {
  const { read, creates, blocked } = UPDATE_OPERATORS[operator] ?? refuseOperator(operator)
  const change: Change = { parts: partsOf(path), apply: read(operand, path), creates, blocked }
  const positional = change.parts.indexOf('$')
  if (positional < 0) {
    return {
      path,
      onlyOnInsert: false,
      run: (document, _moment, arrays) => changed(document, change, arrays),
    }
  }
  return {
    path,
    onlyOnInsert: false,
    run: (document, { position }, arrays) => {
      if (position === undefined) {
        throw new CommandError(
          'BadValue',
          'The positional operator did not find the match needed from the query.',
        )
      }
      return changed(document, { ...change, parts: change.parts.with(positional, String(position)) }, arrays)
    },
  }
}

function readRename(path: string, operand: Value): Step {
  if (typeof operand !== 'string') {
    throw new CommandError('BadValue', `The 'to' field for $rename must be a string: ${path}`)
  }
  const [from, to] = [partsOf(path), partsOf(operand)]
  if ([...from, ...to].some(part => part.startsWith('$'))) {
    throw new CommandError('BadValue', `The source and target field for $rename must not be dynamic: ${path}`)
  }
  return {
    path: operand,
    onlyOnInsert: false,
    run: document => {
      const value = plainValue(document, from)
      if (value === undefined) return document
      plainValue(document, to.slice(0, -1))
      const without = changed(document, { parts: from, apply: () => undefined, creates: false })
      return changed(without, { parts: to, apply: () => value, creates: true })
    },
  }
}

/** The value at a path that may not lead through an array. */
function plainValue(document: Doc, parts: readonly string[]): Maybe {
  let value: Maybe = document
  for (const part of parts) {
    if (Array.isArray(value) && arrayIndex(part) !== undefined) {
      throw new CommandError('BadValue', `$rename cannot lead through the array element '${part}'`)
    }
    if (value !== undefined && !isDoc(value)) {
      throw new CommandError('PathNotViable', `Cannot use the part (${part}) of a $rename to go further`)
    }
    value = value === undefined ? undefined : field(value, part)
  }
  return value
}

function partsOf(path: string): string[] {
  const parts = path.split('.')
  if (parts.includes('')) {
    const reason = `The update path '${path}' contains an empty field name, which is not allowed.`
    throw new CommandError('EmptyFieldName', reason)
  }
  for (const [index, part] of parts.entries()) {
    if (!part.startsWith('$')) continue
    if (index > 0 && (part === '$' || /^\$\[[^\]]*\]$/.test(part))) continue
    throw new CommandError(
      'DollarPrefixedFieldName',
      `The dollar ($) prefixed field '${part}' in '${path}' is not valid for storage.`,
    )
  }
  if (parts.filter(part => part === '$').length > 1) {
    throw new CommandError('BadValue', `Too many positional (i.e. '$') elements found in path '${path}'`)
  }
  return parts
}

function comparePaths(one: string, other: string): number {
  const [left, right] = [one.split('.'), other.split('.')]
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [a, b] = [left[at] as string, right[at] as string]
    if (a === b) continue
    const [x, y] = [arrayIndex(a), arrayIndex(b)]
    return x !== undefined && y !== undefined ? x - y : a < b ? -1 : 1
  }
  return left.length - right.length
}

function readArrayFilters(value: Maybe, paths: readonly string[]): Map<string, Filter> {
  const filters = new Map<string, Filter>()
  for (const document of (value ?? []) as Value[]) {
    const filter = parseFilter(isDoc(document) ? document : {})
    const roots = new Set(rootsOf(filter))
    const [identifier = '', ...others] = roots
    if (others.length > 0 || !/^[a-z][a-zA-Z0-9]*$/.test(identifier)) {
      const reason = `Error parsing array filter :: caused by :: Expected a single top-level field name, found '${[...roots].join("' and '")}'`
      throw new CommandError('FailedToParse', reason)
    }
    if (filters.has(identifier)) {
      const reason = `Found multiple array filters with the same top-level field name ${identifier}`
      throw new CommandError('FailedToParse', reason)
    }
    if (!paths.some(path => path.includes(`$[${identifier}]`))) {
      const reason = `The array filter for identifier '${identifier}' was not used in the update`
      throw new CommandError('FailedToParse', reason)
    }
    filters.set(identifier, filter)
  }
  for (const path of paths) {
    for (const [, identifier] of path.matchAll(/\$\[([^\]]+)\]/g)) {
      if (identifier !== undefined && !filters.has(identifier)) {
        const reason = `No array filter found for identifier '${identifier}' in path '${path}'`
        throw new CommandError('BadValue', reason)
      }
    }
  }
  return filters
}

function rootsOf(filter: Filter): string[] {
  if (filter.kind === 'leaf') return [filter.parts[0] as string]
  return filter.kind === 'expression' ? ['$expr'] : filter.children.flatMap(rootsOf)
}
