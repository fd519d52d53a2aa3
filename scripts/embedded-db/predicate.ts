import { BSONRegExp, MaxKey, MinKey } from 'mongodb'
import { CommandError, unsupported } from './errors.js'
import { type Context, compileExpression } from './expression/expression.js'
import { compare, equal, orderKey, rank } from './order.js'
import { type ArrayMatch, anyAt, type Test } from './paths.js'
import { toRegExp } from './regex.js'
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
  TYPE_NUMBERS,
  type TypeName,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

/** One condition on one path. The planner reads `operator` and `operand`; `test` is what decides. */
export interface Leaf {
  kind: 'leaf'
  path: string
  /** The path's components; none when the condition is on an array's element itself, inside `$elemMatch`. */
  parts: readonly string[]
  operator: string
  operand: Value
  test: Test
  /** Whether the elements of an array at the path are tested too. */
  elements: boolean
}

export type Filter =
  | Leaf
  | { kind: 'and' | 'or' | 'nor'; children: Filter[] }
  | { kind: 'expression'; holds: (document: Doc) => boolean }

/** Reads a query filter. Throws BadValue for what is malformed and NotImplemented for operators not covered. */
export function parseFilter(filter: Doc, context?: Context): Filter {
  const children: Filter[] = []
  for (const [key, value] of fieldsOf(filter)) {
    if (!key.startsWith('$')) children.push(...parseField(key, value))
    else if (key !== '$comment') children.push(parseLogical(key, value, context))
  }
  return all(children)
}

/** Whether a document, or inside `$elemMatch` an element, satisfies the filter. */
export function matches(filter: Filter, root: Value, match?: ArrayMatch): boolean {
  switch (filter.kind) {
    case 'leaf':
      if (filter.parts.length === 0) return filter.test(root)
      return isDoc(root) && anyAt(root, filter.parts, filter.test, filter.elements, match)
    case 'and':
      for (const child of filter.children) if (!matches(child, root, match)) return false
      return true
    case 'or':
      for (const child of filter.children) if (matches(child, root, match)) return true
      return false
    case 'nor':
      for (const child of filter.children) if (matches(child, root)) return false
      return true
    case 'expression':
      return isDoc(root) && filter.holds(root)
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

function parseLogical(key: string, value: Value, context?: Context): Filter {
  if (key === '$expr') {
    const expression = compileExpression(value, context)
    return { kind: 'expression', holds: document => isTruthy(expression(document)) }
  }
  if (key !== '$and' && key !== '$or' && key !== '$nor') {
    if (['$where', '$text', '$jsonSchema', '$alwaysTrue', '$alwaysFalse', '$sampleRate'].includes(key)) {
      throw unsupported(key)
    }
    throw new CommandError('BadValue', `unknown top level operator: ${key}`)
  }
  if (!Array.isArray(value) || value.length === 0) {
    throw new CommandError('BadValue', `${key} argument must be a nonempty array`)
  }
  const children = value.map(child => {
    if (!isDoc(child)) throw new CommandError('BadValue', `${key} argument's entries must be objects`)
    return parseFilter(child, context)
  })
  return { kind: key === '$and' ? 'and' : key === '$or' ? 'or' : 'nor', children }
}

function parseField(path: string, value: Value): Filter[] {
  const parts = path.split('.')
  if (isOperators(value)) return parseOperators(path, parts, value)
  return [leaf(path, parts, value instanceof BSONRegExp ? '$regex' : '$eq', value)]
}

function parseOperators(path: string, parts: readonly string[], operators: Doc): Filter[] {
  const filters: Filter[] = []
  for (const [operator, operand] of fieldsOf(operators)) {
    if (operator === '$options') {
      if (field(operators, '$regex') === undefined)
        throw new CommandError('BadValue', '$options needs a $regex')
    } else if (operator === '$regex') {
      filters.push(leaf(path, parts, '$regex', regexOperand(operand, field(operators, '$options'))))
    } else if (operator === '$ne' || operator === '$nin') {
      if (operand instanceof BSONRegExp) throw new CommandError('BadValue', "Can't have regex as arg to $ne.")
      filters.push(not(leaf(path, parts, operator === '$ne' ? '$eq' : '$in', operand)))
    } else if (operator === '$exists') {
      const exists = leaf(path, parts, '$exists', true)
      filters.push(isTruthy(operand) ? exists : not(exists))
    } else if (operator === '$not') {
      if (!(operand instanceof BSONRegExp) && !isOperators(operand)) {
        throw new CommandError('BadValue', '$not needs a regex or a document')
      }
      filters.push(
        not(
          operand instanceof BSONRegExp
            ? leaf(path, parts, '$regex', operand)
            : all(parseOperators(path, parts, operand)),
        ),
      )
    } else if (operator === '$all') filters.push(...parseAll(path, parts, operand))
    else if (operator !== '$comment') filters.push(leaf(path, parts, operator, operand))
  }
  return filters
}

function parseAll(path: string, parts: readonly string[], operand: Value): Filter[] {
  if (!Array.isArray(operand)) throw new CommandError('BadValue', '$all needs an array')
  if (operand.length === 0) return [{ kind: 'or', children: [] }]
  return operand.flatMap(value => {
    if (isOperators(value)) {
      if (field(value, '$elemMatch') === undefined)
        throw new CommandError('BadValue', 'no $ expressions in $all')
      return parseOperators(path, parts, value)
    }
    return leaf(path, parts, value instanceof BSONRegExp ? '$regex' : '$eq', value)
  })
}

function leaf(path: string, parts: readonly string[], operator: string, operand: Value): Leaf {
  const build = LEAVES[operator]
  if (!build) {
    if (/^\$(bits|geo|near|text|where|jsonSchema|_)/.test(operator)) throw unsupported(operator)
    throw new CommandError('BadValue', `unknown operator: ${operator}`)
  }
  const elements = !['$exists', '$size', '$elemMatch'].includes(operator)
  return { kind: 'leaf', path, parts, operator, operand, test: build(operand), elements }
}

const LEAVES: Record<string, (operand: Value) => Test> = {
  $eq: equalTo,
  $in: oneOf,
  $gt: operand => ordered(operand, difference => difference > 0, false),
  $gte: operand => ordered(operand, difference => difference >= 0, true),
  $lt: operand => ordered(operand, difference => difference < 0, false),
  $lte: operand => ordered(operand, difference => difference <= 0, true),
  $exists: () => value => value !== undefined,
  $regex: operand => regexTest(operand as BSONRegExp),
  $type: ofType,
  $size: ofSize,
  $mod: modulo,
  $elemMatch: elementMatching,
}

function equalTo(operand: Value): Test {
  if (operand === null) return value => value === undefined || value === null
  if (typeof operand === 'string' || typeof operand === 'boolean') {
    return value => value === operand || (typeof value === 'object' && equal(value, operand))
  }
  return value => value !== undefined && equal(value, operand)
}

function oneOf(operand: Value): Test {
  if (!Array.isArray(operand)) throw new CommandError('BadValue', '$in needs an array')
  if (operand.some(isOperators)) throw new CommandError('BadValue', 'cannot nest $ under $in')
  const patterns = operand.filter(value => value instanceof BSONRegExp).map(regexTest)
  const keys = new Set(operand.map(orderKey))
  const wantsNull = keys.has(orderKey(null))
  return value =>
    (value === undefined ? wantsNull : keys.has(orderKey(value))) || patterns.some(test => test(value))
}

/** A range operator compares only within the operand's own type, except against MinKey and MaxKey. */
function ordered(operand: Value, accepts: (difference: number) => boolean, inclusive: boolean): Test {
  if (operand instanceof BSONRegExp)
    throw new CommandError('BadValue', "Can't have RegEx as arg to predicate")
  if (operand === null) return inclusive ? equalTo(null) : () => false
  if (operand instanceof MinKey || operand instanceof MaxKey) {
    return value => value !== undefined && accepts(compare(value, operand))
  }
  const bracket = rank(operand)
  if (isNaNValue(operand)) return value => inclusive && isNaNValue(value)
  return value => rank(value) === bracket && !isNaNValue(value) && accepts(compare(value, operand))
}

function isNaNValue(value: Maybe): boolean {
  return isNumeric(value) && Number.isNaN(toNumber(value))
}

function ofType(operand: Value): Test {
  const wanted = new Set<TypeName>()
  for (const named of Array.isArray(operand) ? operand : [operand]) {
    const number = isNumeric(named) ? toNumber(named) : undefined
    const name = Object.entries(TYPE_NUMBERS).find(([name, code]) => name === named || code === number)?.[0]
    if (named === 'number') for (const one of ['int', 'long', 'double', 'decimal'] as const) wanted.add(one)
    else if (name) wanted.add(name as TypeName)
    else throw new CommandError('BadValue', `Unknown type name alias: ${String(named)}`)
  }
  return value => value !== undefined && wanted.has(typeOf(value))
}

function ofSize(operand: Value): Test {
  const size = isNumeric(operand) ? toNumber(operand) : -1
  if (!Number.isInteger(size) || size < 0) {
    throw new CommandError('BadValue', 'Failed to parse $size. Expected a non-negative number')
  }
  return value => Array.isArray(value) && value.length === size
}

function modulo(operand: Value): Test {
  const [divisor, remainder] = Array.isArray(operand)
    ? operand.map(part => (isNumeric(part) ? Math.trunc(toNumber(part)) : Number.NaN))
    : []
  if (divisor === undefined || remainder === undefined || (operand as Value[]).length !== 2) {
    throw new CommandError('BadValue', 'malformed mod, needs to be an array of two numbers')
  }
  if (Number.isNaN(divisor) || divisor === 0 || Number.isNaN(remainder)) {
    throw new CommandError('BadValue', 'malformed mod, divisor must be a number other than 0')
  }
  return value => isNumeric(value) && Math.trunc(toNumber(value)) % divisor === remainder
}

const OBJECT_ONLY = ['$and', '$or', '$nor', '$expr', '$where', '$comment', '$text', '$jsonSchema']

function elementMatching(operand: Value): Test {
  if (!isDoc(operand)) throw new CommandError('BadValue', '$elemMatch needs an Object')
  const onValues = isOperators(operand) && !OBJECT_ONLY.includes(namesOf(operand)[0] as string)
  const filter = onValues ? all(parseOperators('', [], operand)) : parseFilter(operand)
  return (value, match) => {
    if (!Array.isArray(value)) return false
    const found = value.findIndex(element => {
      if (onValues) return matches(filter, element)
      const document = asDocument(element)
      return isDoc(document) && matches(filter, document)
    })
    if (match && found >= 0) match.index = found
    return found >= 0
  }
}

/** A query looks into an array within an array as into a document whose fields are numbered. */
function asDocument(element: Value): Value {
  return Array.isArray(element) ? docOf(element.map((inner, index) => [String(index), inner])) : element
}

function regexOperand(pattern: Value, options: Maybe): BSONRegExp {
  const [source, own] = pattern instanceof BSONRegExp ? [pattern.pattern, pattern.options] : [pattern, '']
  if (typeof source !== 'string') throw new CommandError('BadValue', '$regex has to be a string')
  if (options !== undefined && typeof options !== 'string') {
    throw new CommandError('BadValue', '$options has to be a string')
  }
  return new BSONRegExp(source, options ?? own)
}

function regexTest(pattern: BSONRegExp): Test {
  const regex = toRegExp(pattern)
  const exact = orderKey(pattern)
  return value =>
    typeof value === 'string' ? regex.test(value) : value instanceof BSONRegExp && orderKey(value) === exact
}
