import { CommandError, unsupported } from './errors.js'
import {
  type Doc,
  field,
  fieldsOf,
  isDoc,
  isNumeric,
  isTruthy,
  type Maybe,
  toNumber,
  typeOf,
  type Value,
} from './values.js'

/** What any command may carry without a change to its result. `maxTimeMS` ends nothing early. */
const GENERIC = ['$db', '$readPreference', 'comment', 'lsid', 'maxTimeMS', 'readConcern', 'writeConcern']

/** The fields of a command or of one of its statements, read with MongoDB's type errors. */
export class Options {
  /**
   * Refuses a field that is not in `known` unless it switches something off. For a part of a command `required` names
   * the fields that have to be there (40414); without it, it is a whole command.
   */
  constructor(
    private readonly where: string,
    private readonly fields: Doc,
    known: readonly string[],
    required?: readonly string[],
  ) {
    for (const [name, value] of fieldsOf(fields)) {
      if (known.includes(name) || (!required && GENERIC.includes(name))) continue
      if (value !== false && value !== null) throw unsupported(`The option '${name}' of ${where}`)
    }
    for (const name of required ?? []) this.required(name)
  }

  has(name: string): boolean {
    return this.value(name) !== undefined
  }

  value(name: string): Maybe {
    return field(this.fields, name)
  }

  required(name: string): Value {
    const value = this.value(name)
    if (value !== undefined) return value
    throw new CommandError(
      'IDLFailedToParse',
      `BSON field '${this.where}.${name}' is missing but a required field`,
    )
  }

  document(name: string): Doc | undefined {
    const value = this.value(name)
    if (value === undefined || value === null) return undefined
    return isDoc(value) ? value : this.mistyped(name, value, 'object')
  }

  array(name: string): Value[] | undefined {
    const value = this.value(name)
    if (value === undefined || value === null) return undefined
    return Array.isArray(value) ? value : this.mistyped(name, value, 'array')
  }

  /** An array of documents that has to be there. */
  documents(name: string): Doc[] {
    this.required(name)
    const values = this.array(name) ?? []
    const stranger = values.find(value => !isDoc(value))
    if (stranger !== undefined) this.mistyped(`${name}.0`, stranger, 'object')
    return values as Doc[]
  }

  string(name: string): string | undefined {
    const value = this.value(name)
    if (value === undefined || value === null) return undefined
    return typeof value === 'string' ? value : this.mistyped(name, value, 'string')
  }

  flag(name: string, otherwise = false): boolean {
    const value = this.value(name)
    if (value === undefined || value === null) return otherwise
    if (typeof value !== 'boolean' && !isNumeric(value)) this.mistyped(name, value, 'bool')
    return isTruthy(value)
  }

  /** A whole number that is not negative. */
  count(name: string): number | undefined {
    const value = this.value(name)
    if (value === undefined || value === null) return undefined
    if (!isNumeric(value)) return this.mistyped(name, value, 'long')
    const number = Math.trunc(toNumber(value))
    if (number >= 0) return number
    throw new CommandError('BadValue', `BSON field '${name}' value must be >= 0, actual value '${number}'`)
  }

  private mistyped(name: string, value: Value, expected: string): never {
    throw new CommandError(
      'TypeMismatch',
      `BSON field '${this.where}.${name}' is the wrong type '${typeOf(value)}', expected type '${expected}'`,
    )
  }
}
