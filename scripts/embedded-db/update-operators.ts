import { CommandError, unsupported } from './errors.js'
import { arithmetic } from './numbers.js'
import { compare, equal, orderKey } from './order.js'
import {
  type Doc,
  field,
  isDoc,
  isNumeric,
  type Maybe,
  plain,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

type Apply = (old: Maybe) => Maybe

/** The update operators: each reads its operand once an update, and what that gives is applied to each document. */
export const UPDATE_OPERATORS: Readonly<Partial<Record<string, (operand: Value, path: string) => Apply>>> = {
  $set: operand => () => operand,
  $setOnInsert: operand => () => operand,
  $unset: () => () => undefined,
  $inc: increment,
  $min: operand => old => (old === undefined || compare(operand, old) < 0 ? operand : old),
  $max: operand => old => (old === undefined || compare(operand, old) > 0 ? operand : old),
  $push: push,
  $addToSet: addToSet,
  $pull: pull,
}

function increment(operand: Value, path: string): Apply {
  if (!isNumeric(operand))
    throw new CommandError('TypeMismatch', `Cannot increment '${path}' by a ${typeOf(operand)}`)
  return old => {
    if (old === undefined) return operand
    if (isNumeric(old)) return arithmetic(old, '+', operand)
    throw new CommandError('TypeMismatch', `Cannot apply $inc to '${path}', which is a ${typeOf(old)}`)
  }
}

function push(operand: Value, path: string): Apply {
  const { added, modifiers } = elementsOf('$push', operand)
  const { $slice, ...others } = modifiers
  const slice = $slice === undefined ? undefined : isNumeric($slice) ? toNumber($slice) : Number.NaN
  if (Object.keys(others).length > 0 || (slice !== undefined && !(Number.isInteger(slice) && slice < 0))) {
    throw unsupported('A $push with more than $each and a negative $slice')
  }
  return old => [...arrayOf('$push', old, path), ...added].slice(slice)
}

function addToSet(operand: Value, path: string): Apply {
  const { added, modifiers } = elementsOf('$addToSet', operand)
  if (Object.keys(modifiers).length > 0) throw unsupported('An $addToSet with more than $each')
  return old => {
    const elements = arrayOf('$addToSet', old, path)
    const known = new Set(elements.map(orderKey))
    const missing = added.filter(value => {
      const key = orderKey(value)
      return !known.has(key) && known.add(key)
    })
    return missing.length === 0 ? (old ?? []) : [...elements, ...missing]
  }
}

function pull(operand: Value, path: string): Apply {
  if (isDoc(operand) || typeOf(operand) === 'regex') throw unsupported('A $pull by condition')
  return old => {
    if (old === undefined) return undefined
    return arrayOf('$pull', old, path).filter(element => !equal(element, operand))
  }
}

/** What is to be added: the elements of an `$each`, else the operand itself. */
function elementsOf(operator: string, operand: Value): { added: Value[]; modifiers: Record<string, Value> } {
  if (!hasEach(operand)) return { added: [operand], modifiers: {} }
  const { $each, ...modifiers } = plain(operand)
  if (Array.isArray($each)) return { added: $each, modifiers }
  throw new CommandError('TypeMismatch', `The argument to $each in ${operator} must be an array`)
}

function hasEach(operand: Value): operand is Doc {
  return isDoc(operand) && field(operand, '$each') !== undefined
}

function arrayOf(operator: string, old: Maybe, path: string): Value[] {
  if (old === undefined) return []
  if (Array.isArray(old)) return old
  throw new CommandError('BadValue', `Cannot apply ${operator} to '${path}', which is a ${typeOf(old)}`)
}
