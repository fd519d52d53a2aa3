import { CommandError, unsupported } from '../errors.js'
import {
  type Doc,
  docOf,
  field,
  fieldsOf,
  isDoc,
  isTruthy,
  type Maybe,
  namesOf,
  plain,
  type Value,
} from '../values.js'
import { ARITHMETIC } from './arithmetic.js'
import { ARRAYS, ARRAYS_NAMED } from './arrays.js'
import { DATES, DATES_NAMED } from './dates.js'
import type { Named, Positional } from './operator.js'
import { SCALARS } from './scalars.js'

/** A compiled aggregation expression: its value for a document, `undefined` where MongoDB has a missing value. */
export type Expression = (root: Doc) => Maybe

/**
 * What expressions of one command share: the time that `$$NOW` is, and the variables in scope. A variable has a slot of
 * its own in `frame`, written before the expression that uses it is evaluated.
 */
export interface Context {
  now: Date
  slots: ReadonlyMap<string, number>
  frame: Maybe[]
}

export function newContext(): Context {
  return { now: new Date(), slots: new Map(), frame: [] }
}

/** A context with one more variable, and what sets that variable. */
export function declare(context: Context, name: string): { inner: Context; assign: (value: Maybe) => void } {
  if (!/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/.test(name)) {
    throw new CommandError('FailedToParse', `'${name}' is not a valid name for a user variable`)
  }
  const { frame } = context
  const slot = frame.push(undefined) - 1
  return {
    inner: { ...context, slots: new Map(context.slots).set(name, slot) },
    assign: value => {
      frame[slot] = value
    },
  }
}

/** Compiles an expression. Throws for unknown operators (168) and variables (17276), and for wrong arguments. */
export function compileExpression(value: Value, context: Context = newContext()): Expression {
  if (typeof value === 'string' && value.startsWith('$')) return compilePath(value, context)
  if (Array.isArray(value)) {
    const elements = value.map(element => compileExpression(element, context))
    return root => elements.map(element => element(root) ?? null)
  }
  if (!isDoc(value)) return () => value
  const names = namesOf(value)
  const [operator] = names
  if (!operator?.startsWith('$')) return compileObject(value, context)
  if (names.length > 1) {
    throw new CommandError(
      15983,
      `An object representing an expression must have exactly one field: ${names}`,
    )
  }
  return compileOperator(operator, field(value, operator) as Value, context)
}

function compileObject(value: Doc, context: Context): Expression {
  const fields = fieldsOf(value).map(([name, inner]) => {
    if (name.includes('.'))
      throw new CommandError(16412, `FieldPath field names may not contain '.': ${name}`)
    return { name, expression: compileExpression(inner, context) }
  })
  return root => {
    const present: [string, Value][] = []
    for (const { name, expression } of fields) {
      const inner = expression(root)
      if (inner !== undefined) present.push([name, inner])
    }
    return docOf(present)
  }
}

function compilePath(text: string, context: Context): Expression {
  if (!text.startsWith('$$')) {
    const parts = pathParts(text.slice(1))
    return root => valueAt(root, parts, 0)
  }
  const [name = '', ...parts] = pathParts(text.slice(2))
  if (name === 'ROOT' || name === 'CURRENT') return root => valueAt(root, parts, 0)
  if (name === 'NOW') return () => (parts.length === 0 ? context.now : undefined)
  if (name === 'REMOVE') return () => undefined
  const slot = context.slots.get(name)
  if (slot === undefined) {
    if (/^[A-Z_]+$/.test(name)) throw unsupported(`The variable $$${name}`)
    throw new CommandError(17276, `Use of undefined variable: ${name}`)
  }
  const { frame } = context
  return () => valueAt(frame[slot], parts, 0)
}

function pathParts(path: string): string[] {
  const parts = path.split('.')
  if (parts.includes('')) throw new CommandError(40353, `'$${path}' is not a valid field path`)
  return parts
}

/** The value at a path; through an array, the array of what its documents have there. */
function valueAt(value: Maybe, parts: readonly string[], depth: number): Maybe {
  let at = value
  for (let index = depth; index < parts.length; index++) {
    if (Array.isArray(at)) {
      return at.flatMap(element => {
        const found = isDoc(element) ? valueAt(element, parts, index) : undefined
        return found === undefined ? [] : [found]
      })
    }
    if (!isDoc(at)) return undefined
    at = field(at, parts[index] as string)
  }
  return at
}

const POSITIONAL: Readonly<Record<string, Positional>> = {
  ...ARITHMETIC,
  ...ARRAYS,
  ...DATES,
  ...SCALARS,
}

const NAMED: Readonly<Record<string, Named>> = { ...ARRAYS_NAMED, ...DATES_NAMED }

type Special = (operand: Value, context: Context) => Expression

/** The operators that decide themselves which of their arguments are evaluated, and with which variables. */
const SPECIAL: Readonly<Record<string, Special>> = {
  $literal: operand => () => operand,
  $and: (operand, context) => {
    const parts = listOf(operand).map(part => compileExpression(part, context))
    return root => parts.every(part => isTruthy(part(root)))
  },
  $or: (operand, context) => {
    const parts = listOf(operand).map(part => compileExpression(part, context))
    return root => parts.some(part => isTruthy(part(root)))
  },
  $cond: compileCond,
  $ifNull: (operand, context) => {
    const parts = listOf(operand).map(part => compileExpression(part, context))
    if (parts.length < 2) throw new CommandError(1257300, '$ifNull needs at least two arguments')
    return root => {
      let value: Maybe
      for (const part of parts) {
        value = part(root)
        if (value !== undefined && value !== null) return value
      }
      return value
    }
  },
  $switch: compileSwitch,
  $let: compileLet,
  $map: compileMap,
  $filter: compileFilter,
  $reduce: compileReduce,
}

function compileOperator(operator: string, operand: Value, context: Context): Expression {
  if (Object.hasOwn(SPECIAL, operator)) return (SPECIAL[operator] as Special)(operand, context)
  if (Object.hasOwn(POSITIONAL, operator)) {
    const { arity, run } = POSITIONAL[operator] as Positional
    const args = listOf(operand).map(arg => compileExpression(arg, context))
    if (args.length < arity[0] || args.length > arity[1]) {
      const wanted = arity[0] === arity[1] ? `exactly ${arity[0]}` : `${arity[0]} to ${arity[1]}`
      const reason = `Expression ${operator} takes ${wanted} arguments. ${args.length} were passed in.`
      throw new CommandError(16020, reason)
    }
    return root => run(args.map(arg => arg(root)))
  }
  if (Object.hasOwn(NAMED, operator)) {
    const { required, optional, run } = NAMED[operator] as Named
    const given = argumentsOf(operator, operand, required, optional)
    const args = Object.entries(given).map(([name, arg]) => ({
      name,
      value: compileExpression(arg, context),
    }))
    return root => run(Object.fromEntries(args.map(({ name, value }) => [name, value(root)])))
  }
  if (/^\$[a-zA-Z]+$/.test(operator)) throw unsupported(`The expression operator ${operator}`)
  throw new CommandError(168, `Unrecognized expression '${operator}'`)
}

/** The arguments of an operator that takes them by name, all known and none forgotten. */
function argumentsOf(
  operator: string,
  operand: Value,
  required: readonly string[],
  optional: readonly string[] = [],
): Readonly<Record<string, Value>> {
  if (!isDoc(operand))
    throw new CommandError('FailedToParse', `${operator} only supports an object as its argument`)
  const given = plain(operand)
  const strange = Object.keys(given).find(name => !required.includes(name) && !optional.includes(name))
  if (strange !== undefined) {
    throw new CommandError('FailedToParse', `Unrecognized argument to ${operator}: ${strange}`)
  }
  const forgotten = required.find(name => !Object.hasOwn(given, name))
  if (forgotten === undefined) return given
  throw new CommandError('FailedToParse', `Missing '${forgotten}' parameter to ${operator}`)
}

function listOf(operand: Value): Value[] {
  return Array.isArray(operand) ? operand : [operand]
}

function compileCond(operand: Value, context: Context): Expression {
  const names = ['if', 'then', 'else']
  const parts = Array.isArray(operand)
    ? operand
    : names.map(name => argumentsOf('$cond', operand, names)[name] as Value)
  const [condition, then, otherwise] = parts.map(part => compileExpression(part, context))
  if (!condition || !then || !otherwise || parts.length > 3) {
    throw new CommandError(16020, 'Expression $cond takes exactly 3 arguments.')
  }
  return root => (isTruthy(condition(root)) ? then(root) : otherwise(root))
}

function compileSwitch(operand: Value, context: Context): Expression {
  const { branches, default: fallback } = argumentsOf('$switch', operand, ['branches'], ['default'])
  const compiled = listOf(branches as Value).map(branch => {
    const parts = argumentsOf('$switch', branch, ['case', 'then'])
    return {
      applies: compileExpression(parts.case as Value, context),
      result: compileExpression(parts.then as Value, context),
    }
  })
  const otherwise = fallback === undefined ? undefined : compileExpression(fallback, context)
  return root => {
    const branch = compiled.find(({ applies }) => isTruthy(applies(root)))
    if (branch) return branch.result(root)
    if (otherwise) return otherwise(root)
    throw new CommandError(40066, '$switch could not find a matching branch, and no default was specified.')
  }
}

function compileLet(operand: Value, context: Context): Expression {
  const { vars, in: body } = argumentsOf('$let', operand, ['vars', 'in'])
  let inner = context
  const bindings = fieldsOf(vars as Doc).map(([name, value]) => {
    const variable = declare(inner, name)
    inner = variable.inner
    // The values are evaluated outside: one variable does not see another.
    return { assign: variable.assign, value: compileExpression(value, context) }
  })
  const result = compileExpression(body as Value, inner)
  return root => {
    const values = bindings.map(({ value }) => value(root))
    for (const [index, { assign }] of bindings.entries()) assign(values[index])
    return result(root)
  }
}

function compileMap(operand: Value, context: Context): Expression {
  const parts = argumentsOf('$map', operand, ['input', 'in'], ['as'])
  const input = compileExpression(parts.input as Value, context)
  const { inner, assign } = declare(context, String(parts.as ?? 'this'))
  const body = compileExpression(parts.in as Value, inner)
  return root =>
    arrayInput('$map', input(root))?.map(element => {
      assign(element)
      return body(root) ?? null
    }) ?? null
}

function compileFilter(operand: Value, context: Context): Expression {
  const parts = argumentsOf('$filter', operand, ['input', 'cond'], ['as', 'limit'])
  if (parts.limit !== undefined && parts.limit !== null) throw unsupported("The 'limit' of $filter")
  const input = compileExpression(parts.input as Value, context)
  const { inner, assign } = declare(context, String(parts.as ?? 'this'))
  const condition = compileExpression(parts.cond as Value, inner)
  return root =>
    arrayInput('$filter', input(root))?.filter(element => {
      assign(element)
      return isTruthy(condition(root))
    }) ?? null
}

function compileReduce(operand: Value, context: Context): Expression {
  const parts = argumentsOf('$reduce', operand, ['input', 'initialValue', 'in'])
  const input = compileExpression(parts.input as Value, context)
  const initial = compileExpression(parts.initialValue as Value, context)
  const value = declare(context, 'value')
  const element = declare(value.inner, 'this')
  const body = compileExpression(parts.in as Value, element.inner)
  return root => {
    const array = arrayInput('$reduce', input(root))
    if (!array) return null
    let result = initial(root)
    for (const one of array) {
      value.assign(result)
      element.assign(one)
      result = body(root)
    }
    return result
  }
}

function arrayInput(operator: string, value: Maybe): Value[] | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value)) return value
  throw new CommandError(16883, `input to ${operator} must be an array`)
}
