import { BSONRegExp } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { compileExpression } from './expression.js'
import { compare, equal, orderKey, rank } from './order.js'
import { anyAt, type Test } from './paths.js'
import { type Doc, fieldsOf, isDoc, isNaNValue, isTruthy, type Maybe, namesOf, type Value } from './values.js'

/** One condition on one path. The planner reads `operator` and `operand`; `test` is what decides. */
export interface Leaf {
  kind: 'leaf'
  path: string
  parts: readonly string[]
  operator: string
  operand: Value
  test: Test
}

export type Filter =
  | Leaf
  | { kind: 'and' | 'or' | 'nor'; children: Filter[] }
  | { kind: 'expression'; holds: (document: Doc) => boolean }

/** Reads a query filter. Throws BadValue for what is malformed and NotImplemented for operators not covered. */
export function parseFilter(filter: Doc): Filter {
  return all(
    fieldsOf(filter).flatMap(([key, value]) =>
      key.startsWith('$') ? parseLogical(key, value) : parseField(key, value),
    ),
  )
}

export function matches(filter: Filter, document: Doc): boolean {
  switch (filter.kind) {
    case 'leaf':
      return anyAt(document, filter.parts, filter.test, filter.operator !== '$exists')
    case 'and':
      for (const child of filter.children) if (!matches(child, document)) return false
      return true
    case 'or':
      return filter.children.some(child => matches(child, document))
    case 'nor':
      return !filter.children.some(child => matches(child, document))
    case 'expression':
      return filter.holds(document)
  }
}

/** The conditions that all have to hold, `$and` flattened: what an index can be chosen by. */
export function conjuncts(filter: Filter): Filter[] {
  return filter.kind === 'and' ? filter.children.flatMap(conjuncts) : [filter]
}

/** Whether a value is `{ $operator: … }` as opposed to a document to be compared with. */
export function isOperators(value: Maybe): value is Doc {
  return isDoc(value) && namesOf(value)[0]?.startsWith('$') === true
}

function all(children: Filter[]): Filter {
  return children.length === 1 ? (children[0] as Filter) : { kind: 'and', children }
}

function not(child: Filter): Filter {
  return { kind: 'nor', children: [child] }
}

function parseLogical(key: string, value: Value): Filter {
  if (key === '$expr') {
    const expression = compileExpression(value)
    return { kind: 'expression', holds: document => isTruthy(expression(document)) }
  }
  if (key !== '$and' && key !== '$or') throw unsupported(`The query operator ${key}`)
  if (!Array.isArray(value) || value.length === 0 || !value.every(isDoc)) {
    throw new CommandError('BadValue', `${key} takes a nonempty array of documents`)
  }
  return { kind: key === '$and' ? 'and' : 'or', children: value.map(parseFilter) }
}

function parseField(path: string, value: Value): Filter[] {
  if (!isOperators(value)) return [leaf(path, '$eq', value)]
  return fieldsOf(value).map(([operator, operand]) => parseOperator(path, operator, operand))
}

function parseOperator(path: string, operator: string, operand: Value): Filter {
  switch (operator) {
    case '$ne':
      return not(leaf(path, '$eq', operand))
    case '$nin':
      return not(leaf(path, '$in', operand))
    case '$exists': {
      const exists = leaf(path, '$exists', true)
      return isTruthy(operand) ? exists : not(exists)
    }
    case '$not':
      if (isOperators(operand)) return not(all(parseField(path, operand)))
      throw unsupported('$not with anything but operators')
    default:
      return leaf(path, operator, operand)
  }
}

function leaf(path: string, operator: string, operand: Value): Leaf {
  const build = operator.startsWith('$') ? LEAVES[operator] : undefined
  if (!build) throw unsupported(`The query operator ${operator}`)
  return { kind: 'leaf', path, parts: path.split('.'), operator, operand, test: build(operand) }
}

const LEAVES: Readonly<Partial<Record<string, (operand: Value) => Test>>> = {
  $eq: equalTo,
  $in: oneOf,
  $gt: operand => ordered(operand, difference => difference > 0),
  $gte: operand => ordered(operand, difference => difference >= 0),
  $lt: operand => ordered(operand, difference => difference < 0),
  $lte: operand => ordered(operand, difference => difference <= 0),
  $exists: () => value => value !== undefined,
  $regex: containing,
}

function equalTo(operand: Value): Test {
  if (operand instanceof BSONRegExp) throw unsupported('A regular expression by itself')
  if (operand === null) return value => value === undefined || value === null
  if (typeof operand === 'string')
    return value => value === operand || (typeof value === 'object' && equal(value, operand))
  return value => value !== undefined && equal(value, operand)
}

function oneOf(operand: Value): Test {
  if (!Array.isArray(operand)) throw new CommandError('BadValue', '$in needs an array')
  if (operand.some(value => isOperators(value) || value instanceof BSONRegExp)) {
    throw unsupported('An operator or a regular expression in $in')
  }
  const keys = new Set(operand.map(orderKey))
  const wantsNull = operand.includes(null)
  return value => (value === undefined ? wantsNull : keys.has(orderKey(value)))
}

/** A range operator compares only within the operand's own type; not a number is equal to itself alone. */
function ordered(operand: Value, accepts: (difference: number) => boolean): Test {
  const bracket = rank(operand)
  if (operand === null || isNaNValue(operand)) throw unsupported('A range from null or NaN')
  return value => rank(value) === bracket && !isNaNValue(value) && accepts(compare(value, operand))
}

/** A pattern of letters, their marks, digits and spaces finds the text itself anywhere. */
function containing(operand: Value): Test {
  if (typeof operand !== 'string' || !/^[\p{L}\p{M}\p{N} ]*$/u.test(operand)) {
    throw unsupported('A regular expression of more than letters, their marks, digits and spaces')
  }
  return value => typeof value === 'string' && value.includes(operand)
}
