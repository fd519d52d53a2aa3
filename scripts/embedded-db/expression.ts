import { CommandError, unsupported } from './errors.js'
import { arithmetic } from './numbers.js'
import { compare, equal, extreme } from './order.js'
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
  plain,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

/** A compiled aggregation expression: its value for a document, `undefined` where MongoDB has a missing value. */
export type Expression = (root: Doc) => Maybe

/** The variables of a `$filter`, by name; each is set before the expression that uses it is evaluated. */
type Scope = ReadonlyMap<string, { value: Maybe }>

/** Compiles an expression. Throws for operators and variables that are not covered, and for wrong arguments. */
export function compileExpression(value: Value, scope: Scope = new Map()): Expression {
  if (typeof value === 'string' && value.startsWith('$')) return compilePath(value, scope)
  if (Array.isArray(value)) {
    const elements = value.map(element => compileExpression(element, scope))
    return root => elements.map(element => element(root) ?? null)
  }
  if (!isDoc(value)) return () => value
  const [operator, ...others] = namesOf(value)
  if (!operator?.startsWith('$')) return compileObject(value, scope)
  if (others.length > 0) {
    throw new CommandError(
      'FailedToParse',
      `an expression must have exactly one operator, not ${operator} and ${others}`,
    )
  }
  return compileOperator(operator, field(value, operator) as Value, scope)
}

function compileObject(value: Doc, scope: Scope): Expression {
  const fields = fieldsOf(value).map(([name, inner]) => {
    if (name.includes('.'))
      throw new CommandError('FailedToParse', `a field name may not contain '.': ${name}`)
    return { name, expression: compileExpression(inner, scope) }
  })
  return root =>
    docOf(
      fields.flatMap(({ name, expression }): [string, Value][] => {
        const inner = expression(root)
        return inner === undefined ? [] : [[name, inner]]
      }),
    )
}

function compilePath(text: string, scope: Scope): Expression {
  const isVariable = text.startsWith('$$')
  const parts = text.slice(isVariable ? 2 : 1).split('.')
  if (parts.includes('')) throw new CommandError('FailedToParse', `'${text}' is not a valid field path`)
  if (!isVariable) return root => valueAt(root, parts)
  const [name = '', ...rest] = parts
  if (name === 'ROOT') return root => valueAt(root, rest)
  const variable = scope.get(name)
  if (!variable) throw unsupported(`The variable $$${name}`)
  return () => valueAt(variable.value, rest)
}

/** The value at a path; through an array, the array of what its documents have there. */
function valueAt(value: Maybe, parts: readonly string[]): Maybe {
  let at = value
  for (const [index, part] of parts.entries()) {
    if (Array.isArray(at)) {
      return at.flatMap(element => {
        const found = isDoc(element) ? valueAt(element, parts.slice(index)) : undefined
        return found === undefined ? [] : [found]
      })
    }
    if (!isDoc(at)) return undefined
    at = field(at, part)
  }
  return at
}

function compileOperator(operator: string, operand: Value, scope: Scope): Expression {
  if (operator === '$literal') return () => operand
  if (operator === '$filter') return compileFilter(operand, scope)
  const args = (Array.isArray(operand) ? operand : [operand]).map(arg => compileExpression(arg, scope))
  const lazy = LAZY[operator]
  if (lazy) return lazy(args)
  const { arity, run } = OPERATORS[operator] ?? refuse(operator)
  if (arity !== undefined && args.length !== arity) throw wrongCount(operator, arity, args.length)
  return root => run(args.map(arg => arg(root)))
}

function refuse(operator: string): never {
  throw unsupported(`The expression operator ${operator}`)
}

function wrongCount(operator: string, wanted: number, given: number): CommandError {
  return new CommandError('FailedToParse', `${operator} takes ${wanted} arguments. ${given} were passed in.`)
}

/** The operators that decide themselves which of their arguments are evaluated. */
const LAZY: Readonly<Partial<Record<string, (args: readonly Expression[]) => Expression>>> = {
  $and: args => root => args.every(arg => isTruthy(arg(root))),
  $or: args => root => args.some(arg => isTruthy(arg(root))),
  $cond: args => {
    const [condition, then, otherwise] = args
    if (!condition || !then || !otherwise || args.length > 3) throw wrongCount('$cond', 3, args.length)
    return root => (isTruthy(condition(root)) ? then(root) : otherwise(root))
  },
  $ifNull: args => root => {
    let value: Maybe
    for (const arg of args) {
      value = arg(root)
      if (value !== undefined && value !== null) break
    }
    return value
  },
}

interface Operator {
  /** How many arguments it takes; any number where it is left out. */
  arity?: number
  run: (args: Maybe[]) => Maybe
}

const OPERATORS: Readonly<Partial<Record<string, Operator>>> = {
  $eq: comparing(difference => difference === 0),
  $ne: comparing(difference => difference !== 0),
  $gt: comparing(difference => difference > 0),
  $gte: comparing(difference => difference >= 0),
  $lte: comparing(difference => difference <= 0),
  $not: { arity: 1, run: ([value]) => !isTruthy(value) },
  $min: { run: args => extreme(elements(args), -1) },
  $max: { run: args => extreme(elements(args), 1) },
  $add: { run: args => unlessNull(args, add) },
  $subtract: { arity: 2, run: args => unlessNull(args, values => calculate('-', values)) },
  $multiply: { arity: 2, run: args => unlessNull(args, values => calculate('*', values)) },
  $in: { arity: 2, run: ([value, array]) => arrayOf('$in', array).some(element => equal(element, value)) },
  $concatArrays: {
    run: args => unlessNull(args, arrays => arrays.flatMap(array => arrayOf('$concatArrays', array))),
  },
  $arrayElemAt: {
    arity: 2,
    run: args =>
      unlessNull(args, ([array, index]) =>
        arrayOf('$arrayElemAt', array).at(wholeNumber('$arrayElemAt', index)),
      ),
  },
  $slice: {
    arity: 2,
    run: args =>
      unlessNull(args, ([array, count]) => {
        const [elements, number] = [arrayOf('$slice', array), wholeNumber('$slice', count)]
        return number >= 0 ? elements.slice(0, number) : elements.slice(number)
      }),
  },
  $mergeObjects: {
    run: args =>
      docOf(
        args.flatMap(value => {
          if (value === undefined || value === null) return []
          if (isDoc(value)) return fieldsOf(value)
          throw new CommandError('TypeMismatch', `$mergeObjects requires objects, not ${typeOf(value)}`)
        }),
      ),
  },
}

function comparing(accepts: (difference: number) => boolean): Operator {
  return { arity: 2, run: ([one, other]) => accepts(compare(one, other)) }
}

/** Null where any argument is null or missing, which is what most operators make of them. */
function unlessNull(args: Maybe[], run: (args: Value[]) => Maybe): Maybe {
  return args.some(arg => arg === undefined || arg === null) ? null : run(args as Value[])
}

function elements(args: Maybe[]): Maybe[] {
  return args.length === 1 && Array.isArray(args[0]) ? args[0] : args
}

/** Adds two numbers, or a number of milliseconds to a date. */
function add(values: Value[]): Value {
  const [one, other] = values
  if (!(one instanceof Date)) return calculate('+', values)
  const time = isNumeric(other) ? one.getTime() + Math.round(toNumber(other)) : Number.NaN
  const date = new Date(time)
  if (values.length !== 2 || Number.isNaN(date.getTime())) throw unsupported('An $add to a date of this kind')
  return date
}

function calculate(operation: '+' | '-' | '*', [one, other, ...rest]: Value[]): Value {
  if (rest.length === 0 && isNumeric(one) && isNumeric(other)) return arithmetic(one, operation, other)
  throw unsupported('Arithmetic with anything but two numbers')
}

function arrayOf(operator: string, value: Maybe): Value[] {
  if (Array.isArray(value)) return value
  throw new CommandError(
    'TypeMismatch',
    `${operator} takes an array, not ${value === undefined ? 'missing' : typeOf(value)}`,
  )
}

function wholeNumber(operator: string, value: Maybe): number {
  const number = isNumeric(value) ? toNumber(value) : Number.NaN
  if (Number.isInteger(number)) return number
  throw new CommandError('TypeMismatch', `${operator} needs a whole number`)
}

function compileFilter(operand: Value, scope: Scope): Expression {
  const { input, as, cond, ...others } = isDoc(operand) ? plain(operand) : {}
  if (input === undefined || cond === undefined || typeof as !== 'string' || Object.keys(others).length > 0) {
    throw unsupported('A $filter with other arguments than input, as and cond')
  }
  const variable: { value: Maybe } = { value: undefined }
  const array = compileExpression(input, scope)
  const condition = compileExpression(cond, new Map(scope).set(as, variable))
  return root =>
    unlessNull([array(root)], ([elements]) =>
      arrayOf('$filter', elements).filter(element => {
        variable.value = element
        return isTruthy(condition(root))
      }),
    )
}
